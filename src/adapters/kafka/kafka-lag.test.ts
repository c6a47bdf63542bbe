import { describe, expect, it } from "vitest";
import { createLagReader } from "./kafka-lag.ts";
import { NO_NOTE, type GroupPlace } from "./kafka-note.ts";

const WATCHED = { topic: "t", group: "g" };
const offsets = async () => [
  { partition: 0, low: 0n, high: 10n, stable: 10n },
  { partition: 1, low: 5n, high: 9n, stable: 9n },
  { partition: 2, low: 0n, high: 0n, stable: 0n },
];

describe("the lag of a group", () => {
  it("is what stands behind its commit, or everything that is still there without one", async () => {
    const read = createLagReader(
      {
        topicOffsets: offsets,
        groupPlaces: async () =>
          new Map([
            [0, { offset: 7n, note: NO_NOTE }],
            [1, { offset: 2n, note: NO_NOTE }],
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

  it("counts what stands behind an open transaction to the end, and beside it what may be read", async () => {
    const topicOffsets = async () => [{ partition: 0, low: 0n, high: 10n, stable: 4n }];
    const at = (offset: bigint) => ({ topicOffsets, groupPlaces: async () => new Map([[0, { offset, note: NO_NOTE }]]) });
    expect(await createLagReader(at(4n), [WATCHED], { deadlineMs: 1_000 })()).toMatchObject([{ lag: 6n, stableLag: 0n }]);
    expect(await createLagReader(at(1n), [WATCHED], { deadlineMs: 1_000 })()).toMatchObject([{ lag: 9n, stableLag: 3n }]);
  });

  it("tells of what was removed unread, noted or not yet noticed, and of why a partition cannot be read", async () => {
    const note = { removedUnread: 7n, unreadable: "offset 3: packed by nobody" };
    const groupPlaces = async () => new Map([[1, { offset: 2n, note }]]);
    const lags = await createLagReader({ topicOffsets: offsets, groupPlaces }, [WATCHED], { deadlineMs: 1_000 })();
    expect(lags.map(({ removedUnread, unreadable }) => [removedUnread, unreadable])).toEqual([
      [0n, undefined],
      [10n, "offset 3: packed by nobody"],
      [0n, undefined],
    ]);
  });

  it("leaves out a topic that does not answer, and waits no longer than its deadline", async () => {
    const topicOffsets = (topic: string) => (topic === "gone" ? Promise.reject(new Error("no such topic")) : offsets());
    const kafka = { topicOffsets, groupPlaces: async () => new Map<number, GroupPlace>() };
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
    const read = createLagReader({ topicOffsets, groupPlaces: async () => new Map() }, [WATCHED], {
      deadlineMs: 1_000,
      nowMs: () => nowMs,
    });
    await Promise.all([read(), read()]);
    nowMs = 10_000;
    await read();
    expect(asked).toBe(2);
  });
});
