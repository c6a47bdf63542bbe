import fc from "fast-check";
import { expect, it } from "vitest";
import { registerCodecs } from "./kafka-codecs.ts";
import { clientModule } from "./kafka-internals.ts";
import { toFetchedMessage } from "./kafka-message.ts";
import { readBatchRecords } from "./kafka-record-reading.ts";
import type { ClientRecord } from "./kafka-records.ts";

registerCodecs();

interface Encoder {
  readonly buffer: Buffer;
}

const { RecordBatch } = clientModule("protocol/recordBatch/v0/index.js") as { RecordBatch(batch: object): Promise<Encoder> };
const writeRecord = clientModule("protocol/recordBatch/record/v0/index.js") as (record: object) => Encoder;
const clientsOwn = clientModule("protocol/recordBatch/v0/decoder.js") as (decoder: object) => Promise<{ records: ClientRecord[] }>;
const Decoder = clientModule("protocol/decoder.js") as new (buffer: Buffer) => object;

const bytes = fc.uint8Array({ maxLength: 200 }).map((content) => Buffer.from(content));
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(fc.string({ unit: "grapheme", maxLength: 20 }), fc.oneof(bytes, fc.array(bytes, { minLength: 1, maxLength: 3 }))),
  timestampDelta: fc.integer({ min: -100_000, max: 100_000_000_000 }),
});
const CONTEXT = { producerId: "-1", inTransaction: false };

interface BatchPlan {
  readonly base?: bigint;
  readonly packed?: boolean;
  /** Whether the broker has put the time of its arrival on the batch. */
  readonly arrived?: boolean;
}

async function batchOf(records: readonly object[], { base = 0n, packed = false, arrived = false }: BatchPlan): Promise<Buffer> {
  const { buffer } = await RecordBatch({
    compression: packed ? 1 : 0,
    firstTimestamp: 1_700_000_000_000,
    maxTimestamp: 1_700_000_009_999,
    lastOffsetDelta: records.length - 1,
    records: records.map((one, offsetDelta) => writeRecord({ ...one, offsetDelta })),
  });
  const batch = Buffer.from(buffer);
  batch.writeBigInt64BE(base, 0);
  if (arrived) batch.writeInt16BE(batch.readInt16BE(21) | 0x08, 21);
  return batch;
}

// What a handler gets of it. In the client's own records a header such as `valueOf` has a function beside its value.
const partsOf = (read: ClientRecord) => ({ ...toFetchedMessage(read), isControlRecord: read.isControlRecord });

it("records are read as the client itself reads them: packed, with the broker's time, and beyond the offsets that a float holds", async () => {
  const plan = fc.record({
    base: fc.oneof(fc.bigInt({ min: 0n, max: 1_000_000n }), fc.bigInt({ min: 2n ** 53n - 10n, max: 2n ** 62n })),
    packed: fc.boolean(),
    arrived: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), plan, async (records, of) => {
      const batch = await batchOf(records, of);
      const { records: expected } = await clientsOwn(new Decoder(batch));
      expect((await readBatchRecords(batch, CONTEXT)).map(partsOf)).toEqual(expected.map(partsOf));
    }),
  );
});

it("a record whose bytes end too early is none", async () => {
  const batch = await batchOf([{ key: null, value: Buffer.from("an event") }], {});
  for (const length of [62, 65, batch.length - 1])
    await expect(readBatchRecords(batch.subarray(0, length), CONTEXT)).rejects.toThrow(/cut off|longer than it says/);
});

it("a name of a header that every object has is a header like others", async () => {
  const batch = await batchOf([{ key: null, value: null, headers: { constructor: "a", ["__proto__"]: "b" } }], {});
  const [read] = await readBatchRecords(batch, CONTEXT);
  expect(Object.entries(read?.headers ?? {})).toEqual([
    ["constructor", Buffer.from("a")],
    ["__proto__", Buffer.from("b")],
  ]);
});
