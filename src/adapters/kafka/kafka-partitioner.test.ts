import fc from "fast-check";
import { Partitioners, type PartitionerArgs } from "kafkajs";
import { expect, it } from "vitest";
import { createPartitioner } from "./kafka-partitioner.ts";

const partitionsOf = (count: number) =>
  Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0, partitionErrorCode: 0, replicas: [0], isr: [0] }));
const argsOf = (key: string | Buffer | null, count: number): PartitionerArgs => ({
  topic: "t",
  partitionMetadata: partitionsOf(count),
  message: { key, value: "" },
});

it("a key goes to the partition that the client's own partitioner, which is the Java client's, chooses", () => {
  const [own, clients] = [createPartitioner(), Partitioners.DefaultPartitioner()];
  const key = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(key, fc.integer({ min: 1, max: 50 }), (of, count) => {
      expect(own(argsOf(of, count))).toBe(clients(argsOf(of, count)));
    }),
  );
});

it("messages without a key are spread over the partitions", () => {
  const own = createPartitioner();
  expect(new Set(Array.from({ length: 8 }, () => own(argsOf(null, 4)))).size).toBe(4);
});
