import type { EachBatchPayload } from "kafkajs";
import type { Log } from "../log.ts";
import { noteText } from "./kafka-note.ts";
import type { PartitionOffsets } from "./kafka-offsets.ts";
import type { Places } from "./kafka-places.ts";
import { Unreadable, type Trouble } from "./kafka-records.ts";

export interface TroubleDeps {
  readonly topic: string;
  readonly group: string;
  /** How long an unreadable partition is left alone: doubled from try to try. */
  readonly retry: { readonly firstMs: number; readonly maxMs: number };
  readonly places: Pick<Places, "note" | "noted">;
  readonly readOffsets: () => Promise<readonly PartitionOffsets[]>;
  readonly commit: (partition: number, offset: string, metadata: string | null) => Promise<void>;
  readonly log: Log;
}

/** What a consumer does with partitions that cannot be read on. */
export interface Troubles {
  /** The member has these partitions now. */
  joined(partitions: readonly number[]): void;
  /** Takes what stands where nothing can be read: pauses the partition for a while, or goes on behind what the broker removed. */
  meet(payload: EachBatchPayload, trouble: Trouble): Promise<void>;
  /** The partition was read. */
  passed(partition: number): void;
  /** The partitions that are paused. */
  unreadable(): readonly number[];
  stop(): void;
}

interface Pause {
  readonly pauseMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** Keeps the notes of one member of a group. Asks Kafka for nothing until a batch is met. */
export function createTroubles(deps: TroubleDeps): Troubles {
  const pauses = new Map<number, Pause>();
  const forget = (partition: number): void => {
    clearTimeout(pauses.get(partition)?.timer);
    pauses.delete(partition);
  };

  const pause = async (payload: EachBatchPayload, { reason, fromOffset }: Unreadable): Promise<void> => {
    const { topic, partition } = payload.batch;
    const position = fetchedOffsetOf(payload);
    const before = pauses.get(partition);
    clearTimeout(before?.timer);
    const pauseMs = before === undefined ? deps.retry.firstMs : Math.min(before.pauseMs * 2, deps.retry.maxMs);
    const resume = payload.pause();
    pauses.set(partition, { pauseMs, timer: setTimeout(resume, pauseMs).unref() });
    deps.log.error(
      { event: "kafka.unreadable", group: deps.group, topic, partition, offset: fromOffset ?? position, reason, pauseMs },
      "the partition cannot be read: it is paused, all others go on",
    );
    if (before !== undefined) return;
    const note = { ...(await deps.places.note(partition)), unreadable: `offset ${fromOffset ?? position}: ${reason}` };
    await deps.commit(partition, position, noteText(note)).catch((error: unknown) => {
      deps.log.warn({ err: error, topic, partition }, "could not note that the partition cannot be read");
    });
  };

  const goOnBehindRemoved = async (payload: EachBatchPayload): Promise<void> => {
    const { topic, partition } = payload.batch;
    const position = BigInt(fetchedOffsetOf(payload));
    const offsets = (await deps.readOffsets()).find((known) => known.partition === partition);
    if (offsets === undefined) throw new Error(`${topic}/${partition} is not known to the broker`);
    const { low, high } = offsets;
    if (position >= low && position <= high) return;
    const removed = position < low ? low - position : 0n;
    const note = await deps.places.note(partition);
    const noted = { ...note, removedUnread: note.removedUnread + removed };
    await deps.commit(partition, low.toString(), noteText(noted));
    await deps.places.noted(partition, noted);
    payload.resolveOffset((low - 1n).toString());
    const fields = { group: deps.group, topic, partition, position: position.toString(), low: low.toString(), high: high.toString() };
    if (removed > 0n)
      deps.log.error(
        { event: "kafka.removed-unread", ...fields, removed: removed.toString() },
        "the broker removed messages before they were read",
      );
    else
      deps.log.error({ event: "kafka.shorter", ...fields }, "the partition ends before what was read of it; it is read from its beginning");
  };

  return {
    joined(partitions) {
      for (const partition of pauses.keys()) if (!partitions.includes(partition)) forget(partition);
    },
    meet: (payload, trouble) => (trouble instanceof Unreadable ? pause(payload, trouble) : goOnBehindRemoved(payload)),
    passed(partition) {
      if (!pauses.has(partition)) return;
      forget(partition);
      deps.log.info({ group: deps.group, topic: deps.topic, partition }, "the partition can be read again");
    },
    unreadable: () => [...pauses.keys()],
    stop() {
      for (const partition of pauses.keys()) forget(partition);
    },
  };
}

// Part of the client's batch, though not of its types: kafkajs/src/consumer/batch.js.
function fetchedOffsetOf({ batch }: EachBatchPayload): string {
  return (batch as unknown as { readonly fetchedOffset: string }).fetchedOffset;
}
