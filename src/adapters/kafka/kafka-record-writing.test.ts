import fc from "fast-check";
import { expect, it } from "vitest";
import { clientModule } from "./kafka-internals.ts";
import { encodeRecord } from "./kafka-record-writing.ts";

const clientsOwn = clientModule("protocol/recordBatch/record/v0/index.js") as typeof encodeRecord;

const text = fc.string({ unit: "grapheme", maxLength: 300 });
const content = fc.oneof(
  text,
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);
const record = fc.record(
  {
    offsetDelta: fc.nat({ max: 500_000 }),
    timestampDelta: fc.oneof(fc.nat(), fc.integer({ min: -1_000, max: 4_000_000_000_000 })),
    key: fc.option(content),
    value: fc.option(content),
    headers: fc.dictionary(text, fc.oneof(content, fc.array(content, { maxLength: 3 }))),
  },
  { requiredKeys: ["key", "value"] },
);

it("a record is written byte for byte as the client itself writes it", () => {
  fc.assert(
    fc.property(record, (given) => {
      expect(encodeRecord(given).buffer).toEqual(clientsOwn(given).buffer);
    }),
  );
});
