import type { BatchControl } from "../adapters/kafka/kafka-consumer.ts";
import type { Log } from "../adapters/log.ts";
import { eventKey } from "../contract/ids.ts";
import type { EventReceipt } from "../domain/events/receipts.ts";
import type { DeadLetter } from "../store/events/dead-letters.ts";
import { toDeadLetter, type Chunk } from "./chunks.ts";
import type { EventTopic, RunResult } from "./event-topic.ts";
import { correlationIdOf } from "./message-headers.ts";
import type { Patience } from "./patience.ts";
import { receiptsOfChunk } from "./receipts.ts";
import type { MarkedBatch } from "./redrives.ts";

export interface ChunkDeps<Event> {
  /** How the topic's messages are read, and how its events take effect. */
  readonly topic: EventTopic<Event>;
  /** Keeps dead letters durably. Returns how many were new. Safe to retry. */
  readonly writeDeadLetters: (letters: readonly DeadLetter[]) => Promise<number>;
  /** Records the outcome of messages that no operation tells of. Safe to retry. */
  readonly recordReceipts: (receipts: readonly EventReceipt[]) => Promise<void>;
  readonly log: Log;
}

/** Handles one chunk of a batch. False when it was left undone: the partition may have another owner, or the bridge stops. */
export type ChunkHandler<Event> = (batch: MarkedBatch, chunk: Chunk<Event>, control: BatchControl) => Promise<boolean>;

const NOTHING_APPLIED: RunResult = { applied: 0, duplicates: 0, refused: 0, rejected: [] };

/**
 * A handler of chunks: the valid events take effect, the outcomes and the dead letters are written, and only then the chunk's end is
 * committed. Each step is repeated until it succeeds. Safe to retry: a chunk that is handled again changes nothing.
 * The handler throws: what `commit` throws.
 */
export function createChunkHandler<Event extends object>(deps: ChunkDeps<Event>, patience: Patience): ChunkHandler<Event> {
  return async (batch, chunk, control) => {
    const context = { topic: batch.topic, partition: batch.partition, firstOffset: chunk.firstOffset, lastOffset: chunk.lastOffset };
    const startedAtMs = performance.now();

    const run = { ...context, events: chunk.events, incarnation: batch.incarnation, messages: chunk.messages };
    const result =
      chunk.events.length === 0
        ? NOTHING_APPLIED
        : await patience.untilDone("the effect of the events", context, control, () => deps.topic.apply(run, control.signal));
    if (result === undefined) return false;

    const letters = [...chunk.letters, ...lettersOfResult(batch, chunk, result)];
    for (const { offset, code, reason, headers } of letters) {
      const correlationId = correlationIdOf(headers) ?? `${batch.topic}/${batch.partition}/${offset}`;
      deps.log.error({ ...context, offset, code, reason, correlationId }, "the event is a dead letter");
    }
    // The receipts are recorded first: a dead letter that took effect by one correction must not appear as refused by another.
    const receipts = receiptsOfChunk(batch, chunk, result, deps.topic);
    if (receipts.length > 0) {
      const recorded = await patience.untilDone("the receipts", context, control, async () => {
        await deps.recordReceipts(receipts);
        return true;
      });
      if (recorded === undefined) return false;
    }

    const newLetters = await patience.untilDone("the dead letters", context, control, () => deps.writeDeadLetters(letters));
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
}

// A conflict is identified by its place: the event's own id belongs to the first event of that id, which took effect.
function lettersOfResult<Event extends object>(batch: MarkedBatch, chunk: Chunk<Event>, result: RunResult): DeadLetter[] {
  const messages = new Map(chunk.messages.map((message) => [message.offset, message]));
  return result.rejected.flatMap(({ offset, code, message: reason }) => {
    const message = messages.get(offset);
    if (message === undefined) return [];
    const position = { topic: batch.topic, partition: batch.partition, offset };
    return [toDeadLetter(position, message, { identity: eventKey(position, undefined), code, reason })];
  });
}
