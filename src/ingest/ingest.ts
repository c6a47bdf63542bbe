import { setTimeout as sleep } from "node:timers/promises";
import type { BatchControl, FetchedBatch } from "../adapters/kafka/kafka-consumer.ts";
import type { Log } from "../adapters/log.ts";
import { codeOf, messageOf } from "../base/errors.ts";
import { eventKey } from "../contract/ids.ts";
import type { EventReceipt } from "../domain/events/receipts.ts";
import type { DeadLetter } from "../store/events/dead-letters.ts";
import { chunksOf, toDeadLetter, type Chunk, type ChunkLimits } from "./chunks.ts";
import type { EventTopic, RunResult } from "./event-topic.ts";
import { correlationIdOf } from "./message-headers.ts";
import { receiptsOfChunk } from "./receipts.ts";
import { withRedrives, type MarkedBatch, type RedriveDeps } from "./redrives.ts";

export interface IngestDeps<Event> {
  /** What the messages are and what becomes of them. */
  readonly topic: EventTopic<Event>;
  /** Keeps dead letters durably; answers how many were new. Safe to retry. */
  readonly writeDeadLetters: (letters: readonly DeadLetter[]) => Promise<number>;
  /** The dead letters that messages were sent again for, and what each of them is from the first correction on. */
  readonly redrives: RedriveDeps;
  /** Keeps what became of messages that no operation tells of. Safe to retry. */
  readonly recordReceipts: (receipts: readonly EventReceipt[]) => Promise<void>;
  readonly limits: ChunkLimits;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
  readonly log: Log;
}

export interface Ingest {
  /** Takes a fetched batch as far as it can. Never throws on content, nor for an outage of Temporal or Postgres: those are waited out. Throws what `commit` throws. */
  handle(batch: FetchedBatch, control: BatchControl): Promise<void>;
  /** What is being waited for, in words; undefined when nothing is. */
  outage(): string | undefined;
}

const NOTHING_APPLIED: RunResult = { applied: 0, duplicates: 0, refused: 0, rejected: [] };

/**
 * What the bridge does with the messages of a topic. For each chunk, in order: the valid events take effect, the others are kept as
 * dead letters, and only then the chunk's end is committed. A kill at any point means that a chunk is done again, which changes
 * nothing.
 */
export function createIngest<Event extends object>(deps: IngestDeps<Event>): Ingest {
  const waits = new Map<symbol, string>();

  const patiently = async <Result>(
    part: string,
    context: object,
    control: BatchControl,
    step: () => Promise<Result>,
  ): Promise<Result | undefined> => {
    const wait = Symbol(part);
    try {
      for (let pauseMs = deps.backoff.firstMs; ; pauseMs = Math.min(pauseMs * 2, deps.backoff.maxMs)) {
        try {
          return await step();
        } catch (error) {
          if (control.signal.aborted || !control.isActive()) return undefined;
          const fields = { ...context, part, code: codeOf(error), err: messageOf(error), pauseMs };
          if (isOutage(error)) {
            waits.set(wait, `${part}: ${messageOf(error)}`);
            deps.log.warn(fields, "waiting: the offset stays where it is until this works again");
          } else {
            waits.delete(wait);
            deps.log.error(fields, "this failed in a way that waiting may not mend; trying again");
          }
          await sleep(pauseMs, undefined, { signal: control.signal }).catch(() => {});
        }
      }
    } finally {
      waits.delete(wait);
    }
  };

  const handleChunk = async (batch: MarkedBatch, chunk: Chunk<Event>, control: BatchControl): Promise<boolean> => {
    const input = {
      topic: batch.topic,
      partition: batch.partition,
      firstOffset: chunk.firstOffset,
      lastOffset: chunk.lastOffset,
      events: chunk.events,
    };
    const context = {
      topic: batch.topic,
      partition: batch.partition,
      firstOffset: chunk.firstOffset,
      lastOffset: chunk.lastOffset,
    };
    const startedAtMs = performance.now();

    const result =
      chunk.events.length === 0
        ? NOTHING_APPLIED
        : await patiently("the effect of the events", context, control, () => deps.topic.apply(input, control.signal));
    if (result === undefined) return false;

    const letters = [...chunk.letters, ...lettersOfResult(batch, chunk, result)];
    for (const { offset, code, reason, headers } of letters) {
      const correlationId = correlationIdOf(headers) ?? `${batch.topic}/${batch.partition}/${offset}`;
      deps.log.error({ ...context, offset, code, reason, correlationId }, "the event is a dead letter");
    }
    // First what was taken: a dead letter that took effect by one correction is not refused by another.
    const receipts = receiptsOfChunk(batch, chunk, result, deps.topic);
    if (receipts.length > 0) {
      const kept = await patiently("the receipts", context, control, async () => {
        await deps.recordReceipts(receipts);
        return true;
      });
      if (kept === undefined) return false;
    }

    const newLetters = await patiently("the dead letters", context, control, () => deps.writeDeadLetters(letters));
    if (newLetters === undefined) return false;

    await control.commit(chunk.nextOffset);
    const { applied, duplicates, refused } = result;
    const durationMs = Math.round(performance.now() - startedAtMs);
    deps.log.info(
      {
        ...context,
        applied,
        duplicates,
        refused,
        deadLetters: letters.length,
        newDeadLetters: newLetters,
        committed: chunk.nextOffset,
        durationMs,
      },
      "events applied",
    );
    return true;
  };

  return {
    async handle(fetched, control) {
      const { topic, partition } = fetched;
      const batch = await patiently("what was sent again", { topic, partition }, control, () =>
        withRedrives(fetched, deps.topic, deps.redrives),
      );
      if (batch === undefined) return;
      for (const chunk of chunksOf(batch, deps.limits, deps.topic.read)) {
        if (!control.isActive() || !(await handleChunk(batch, chunk, control))) {
          deps.log.info(
            { topic: batch.topic, partition: batch.partition, fromOffset: chunk.firstOffset },
            "left the rest of the batch for the partition's next owner",
          );
          return;
        }
      }
    },
    outage: () => waits.values().next().value,
  };
}

function isOutage(error: unknown): boolean {
  const code = codeOf(error);
  return code === "UNAVAILABLE" || code === "DEADLINE_EXCEEDED";
}

// The identity of a conflict is its place: under its own id stands the first event of that id, which was taken.
function lettersOfResult<Event extends object>(batch: MarkedBatch, chunk: Chunk<Event>, result: RunResult): DeadLetter[] {
  const messages = new Map(chunk.messages.map((message) => [message.offset, message]));
  return result.rejected.flatMap(({ offset, code, message: reason }) => {
    const message = messages.get(offset);
    if (message === undefined) return [];
    const position = { topic: batch.topic, partition: batch.partition, offset };
    return [toDeadLetter(position, message, { identity: eventKey(position, undefined), code, reason })];
  });
}
