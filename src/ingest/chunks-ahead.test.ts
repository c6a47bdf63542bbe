import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import type { EventReading } from "../events/event-reading.ts";
import { createChunksAhead } from "./chunks-ahead.ts";
import type { MarkedBatch } from "./redrives.ts";

const batchOf = (partition: number, count: number): MarkedBatch => ({
  topic: "t",
  partition,
  incarnation: { clusterId: "c", topicId: "i" },
  nextOffset: String(count),
  messages: Array.from({ length: count }, (_, offset) => ({
    offset: String(offset),
    key: null,
    value: Buffer.from(`${partition}/${offset}`),
    headers: {},
    headersLeftOut: 0,
    timestampMs: -1,
  })),
});

/** A reader that notes in which order it was asked. */
function bench(maxMessages: number) {
  const read: string[] = [];
  const chunks = createChunksAhead<object>({ maxMessages }, (value): EventReading<object> => {
    read.push(String(value));
    return { ok: true, event: {} };
  });
  return { read, chunks };
}

it("all messages of a batch are in its chunks, once and in their order", async () => {
  const { chunks } = bench(300);
  const found: string[] = [];
  const ends: string[] = [];
  for await (const { messages, nextOffset } of chunks(batchOf(0, 1_000))) {
    found.push(...messages.map(({ offset }) => offset));
    ends.push(nextOffset);
  }
  expect(found).toEqual(Array.from({ length: 1_000 }, (_, offset) => String(offset)));
  expect(ends).toEqual(["300", "600", "900", "1000"]);
});

it("a chunk is read whole before another partition's begins, so that the first one takes effect early", async () => {
  const { read, chunks } = bench(250);
  const [first, second] = [chunks(batchOf(0, 250)), chunks(batchOf(1, 250))];
  await Promise.all([first.next(), second.next()]);
  expect(read.map((place) => place.split("/")[0]).join("")).toBe("0".repeat(250) + "1".repeat(250));
});

it("other work has its turn while a chunk is read", async () => {
  const { read, chunks } = bench(1_000);
  const reading = chunks(batchOf(0, 1_000)).next();
  await turn();
  expect(read.length).toBeGreaterThan(0);
  expect(read.length).toBeLessThan(1_000);
  await reading;
});

it("one chunk is read ahead while the one before it takes effect, and no more", async () => {
  const { read, chunks } = bench(10);
  const iterator = chunks(batchOf(0, 100));
  await iterator.next();
  for (let count = 0; count < 20; count += 1) await turn();
  // The message behind a chunk is read to see that the chunk is full.
  expect(read).toHaveLength(21);
});
