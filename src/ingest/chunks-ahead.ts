import { setImmediate as otherWork } from "node:timers/promises";
import { createChunkCutter, type Chunk, type ChunkCutter, type ChunkLimits, type Reader } from "./chunks.ts";
import type { MarkedBatch, MarkedMessage } from "./redrives.ts";

/** Reading a message takes some 15 µs: after so many of them the answers of Postgres and Temporal have their turn. */
const MESSAGES_AT_A_TIME = 100;

/** Cuts a batch into chunks, in their order, each as soon as it is read. */
export type ChunksAhead<Event> = (batch: MarkedBatch) => AsyncGenerator<Chunk<Event>>;

/**
 * Reads the chunks of all partitions of a topic one after the other, so that the first one takes effect while the next ones are read, and of
 * each batch one chunk more than was asked for: it is read while the one before it takes effect. Never throws on content.
 */
export function createChunksAhead<Event extends object>(limits: ChunkLimits, read: Reader<Event>): ChunksAhead<Event> {
  let lastTurn: Promise<unknown> = Promise.resolve();
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const turn = lastTurn.then(work);
    lastTurn = turn.catch(() => {});
    return turn;
  };
  return async function* chunksAhead(batch) {
    const messages = batch.messages.values();
    const cutter = createChunkCutter(batch, limits, read);
    const readNext = () => {
      const next = inTurn(() => nextChunk(cutter, messages));
      // A batch that is left undone asks for no more.
      next.catch(() => {});
      return next;
    };
    for (let ahead = readNext(); ;) {
      const chunk = await ahead;
      if (chunk === undefined) return;
      ahead = readNext();
      yield chunk;
    }
  };
}

async function nextChunk<Event>(cutter: ChunkCutter<Event>, messages: Iterator<MarkedMessage>): Promise<Chunk<Event> | undefined> {
  for (let count = 1; ; count += 1) {
    const message = messages.next();
    if (message.done === true) return cutter.last();
    const chunk = cutter.add(message.value);
    if (chunk !== undefined) return chunk;
    if (count % MESSAGES_AT_A_TIME === 0) await otherWork();
  }
}
