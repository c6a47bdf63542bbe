import { describe, expect, it } from "vitest";
import { createLagReader } from "./kafka-lag.ts";

const WATCHED = { topic: "t", group: "g" };
const offsets = async () => [
  { partition: 0, low: 0n, high: 10n },
  { partition: 1, low: 5n, high: 9n },
  { partition: 2, low: 0n, high: 0n },
];

describe("the lag of a group", () => {
  it("is what stands behind its commit, or everything that is still there without one", async () => {
    const read = createLagReader(
      {
        topicOffsets: offsets,
        committedOffsets: async () =>
          new Map([
            [0, 7n],
            [1, 2n],
          ]),
      },
      [WATCHED],
      { deadlineMs: 1_000 },
    );
    expect((await read()).map(({ partition, lag }) => [partition, lag])).toEqual([
      [0, 3n],
      [1, 4n],
      [2, 0n],
    ]);
  });

  it("leaves out a topic that does not answer, and waits no longer than its deadline", async () => {
    const topicOffsets = (topic: string) => (topic === "gone" ? Promise.reject(new Error("no such topic")) : offsets());
    const kafka = { topicOffsets, committedOffsets: async () => new Map<number, bigint>() };
    const read = createLagReader(kafka, [{ topic: "gone", group: "g" }, WATCHED], { deadlineMs: 1_000 });
    expect(new Set((await read()).map(({ topic }) => topic))).toEqual(new Set(["t"]));
    const hanging = createLagReader({ ...kafka, topicOffsets: () => new Promise(() => {}) }, [WATCHED], { deadlineMs: 30 });
    expect(await hanging()).toEqual([]);
  });

  it("is asked of Kafka once for all who want it at a time", async () => {
    let nowMs = 0;
    let asked = 0;
    const topicOffsets = () => {
      asked += 1;
      return offsets();
    };
    const read = createLagReader({ topicOffsets, committedOffsets: async () => new Map() }, [WATCHED], {
      deadlineMs: 1_000,
      nowMs: () => nowMs,
    });
    await Promise.all([read(), read()]);
    nowMs = 10_000;
    await read();
    expect(asked).toBe(2);
  });
});
