import { describe, expect, it } from "vitest";
import { fetchTopicOffsets } from "./kafka-offsets.ts";

const OFFSETS = [
  { partition: 1, offset: "7", high: "7", low: "2" },
  { partition: 0, offset: "3", high: "3", low: "0" },
];

// What the client throws for an answer of the broker: its code's name, and whether it may be asked again.
function answerOf(type: string, retriable: boolean): Error {
  return Object.assign(new Error(type), { type, retriable });
}

function answering(...failures: readonly Error[]) {
  let asked = 0;
  const admin = {
    fetchTopicOffsets: async () => {
      const failure = failures[asked];
      asked += 1;
      if (failure !== undefined) throw failure;
      return OFFSETS;
    },
  };
  return { admin, asked: () => asked };
}

describe("the offsets of a topic", () => {
  it("stand in the order of its partitions", async () => {
    expect(await fetchTopicOffsets(answering().admin, "t")).toEqual([
      { partition: 0, low: 0n, high: 3n },
      { partition: 1, low: 2n, high: 7n },
    ]);
  });

  it("are asked for again while the leader of a new partition is on its way", async () => {
    const late = answerOf("NOT_LEADER_FOR_PARTITION", true);
    const broker = answering(late, late);
    expect(await fetchTopicOffsets(broker.admin, "t")).toHaveLength(2);
    expect(broker.asked()).toBe(3);
  });

  it("are not waited for when the broker refuses", async () => {
    const refusal = answerOf("TOPIC_AUTHORIZATION_FAILED", false);
    const broker = answering(refusal);
    await expect(fetchTopicOffsets(broker.admin, "t")).rejects.toBe(refusal);
    expect(broker.asked()).toBe(1);
  });
});
