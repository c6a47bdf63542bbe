import { expect, it } from "vitest";
import { registerCodecs } from "./kafka-codecs.ts";
import { clientModule } from "./kafka-internals.ts";
import { readRecords, Unreadable } from "./kafka-records.ts";

registerCodecs();

const Decoder = clientModule("protocol/decoder.js") as new (buffer: Buffer) => Parameters<typeof readRecords>[0];
const checksum = clientModule("protocol/recordBatch/crc32C/index.js") as (bytes: Buffer) => number;

interface BatchPlan {
  readonly baseOffset: number;
  readonly count: number;
  /** Offsets behind the last record that compaction took away. */
  readonly compactedAway?: number;
  readonly attributes?: number;
  readonly producerId?: number;
}

/** A record batch of empty records: each has the length 6, no attributes, no time, its place, no key, an empty value and no headers. */
function batchOf({ baseOffset, count, compactedAway = 0, attributes = 0, producerId = -1 }: BatchPlan): Buffer {
  const records = Array.from({ length: count }, (_, place) => {
    const delta = varInt(place);
    return Buffer.concat([varInt(5 + delta.length), Buffer.from([0, 0]), delta, Buffer.from([1, 0, 0])]);
  });
  const header = Buffer.alloc(61);
  header.writeBigInt64BE(BigInt(baseOffset), 0);
  header.writeInt8(2, 16);
  header.writeInt16BE(attributes, 21);
  header.writeInt32BE(count - 1 + compactedAway, 23);
  header.writeBigInt64BE(BigInt(producerId), 43);
  header.writeInt32BE(count, 57);
  const batch = Buffer.concat([header, ...records]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeUInt32BE(checksum(batch.subarray(21)), 17);
  return batch;
}

function varInt(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value * 2;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

function read(...batches: readonly Buffer[]) {
  const length = Buffer.alloc(4);
  const all = Buffer.concat(batches);
  length.writeInt32BE(all.length);
  return readRecords(new Decoder(Buffer.concat([length, all])));
}

it("a batch of 140,000 records is read whole", async () => {
  const records = await read(batchOf({ baseOffset: 7, count: 140_000 }));
  expect(records).toHaveLength(140_000);
  expect(records.at(-1)).toMatchObject({ offset: "140006", key: null, value: Buffer.alloc(0), isControlRecord: false });
});

it("what compaction left empty, or short of its end, is passed over", async () => {
  const records = await read(
    batchOf({ baseOffset: 0, count: 0, compactedAway: 5 }),
    batchOf({ baseOffset: 5, count: 1, compactedAway: 2 }),
  );
  expect(records.map(({ offset, isControlRecord }) => [offset, isControlRecord])).toEqual([
    ["4", true],
    ["5", false],
    ["7", true],
  ]);
});

it.each<[string, (batch: Buffer) => Buffer]>([
  ["packed by a codec that Kafka has not", (batch) => batch],
  ["with a wrong checksum", (batch) => Buffer.concat([batch.subarray(0, -1), Buffer.from([9])])],
])("a batch %s ends what is read, and says where and why", async (what, spoil) => {
  const attributes = what.startsWith("packed") ? 5 : 0;
  const bad = spoil(batchOf({ baseOffset: 2, count: 3, attributes }));
  const records = await read(batchOf({ baseOffset: 0, count: 2 }), bad, batchOf({ baseOffset: 5, count: 1 }));
  expect(records.map(({ offset }) => offset)).toEqual(["0", "1", "4"]);
  expect(records[2]?.trouble).toBeInstanceOf(Unreadable);
  expect(records[2]?.trouble).toMatchObject({ fromOffset: "2" });
});

it("a batch that is cut off, as the last of a fetch may be, waits for the next fetch", async () => {
  const records = await read(batchOf({ baseOffset: 0, count: 2 }), batchOf({ baseOffset: 2, count: 3 }).subarray(0, 65));
  expect(records.map(({ offset }) => offset)).toEqual(["0", "1"]);
});

it("a batch of more records than are held at a time is not read", async () => {
  const batch = batchOf({ baseOffset: 0, count: 2 });
  batch.writeInt32BE(500_001, 57);
  batch.writeUInt32BE(checksum(batch.subarray(21)), 17);
  const [record] = await read(batch);
  expect(record?.trouble).toMatchObject({ reason: "the batch has 500001 records; 500000 are read at most" });
});
