import { MAX_MESSAGE_HEADERS } from "../../contract/topics.ts";
import { LeftOutHeaders } from "./kafka-headers.ts";
import { clientModule } from "./kafka-internals.ts";

/** What the client knows of the batch that a record came in. */
export interface BatchContext {
  readonly producerId: string;
  readonly inTransaction: boolean;
}

/** A record of a batch. The offset and the time are decimal text. */
export interface BatchRecord {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly timestamp: string;
  isControlRecord: boolean;
  readonly batchContext: BatchContext;
}

interface Codec {
  decompress(packed: Buffer): Promise<Buffer>;
}

/** Of a record batch, by their places; what is in front of them is read by kafka-records.ts. */
const ATTRIBUTES_AT = 21;
const FIRST_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const COUNT_AT = 57;
const RECORDS_AT = 61;
const IS_TIME_OF_ARRIVAL = 0x08;
const IS_CONTROL = 0x20;
const NO_HEADERS: Readonly<Record<string, unknown>> = {};

/**
 * The records of a whole batch (KIP-98), as the client's own decoder reads them, in one pass: the client makes a decoder of each record and
 * five bigints for its offset and time. Of headers above the limit only their number is kept. Throws: Error when the bytes are no records.
 */
export async function readBatchRecords(batch: Buffer, batchContext: BatchContext): Promise<BatchRecord[]> {
  const attributes = batch.readInt16BE(ATTRIBUTES_AT);
  const reader: Reader = { bytes: await unpacked(batch.subarray(RECORDS_AT), attributes), at: 0 };
  const offsetOf = offsetsFrom(batch.readBigInt64BE(0));
  const arrival = (attributes & IS_TIME_OF_ARRIVAL) === 0 ? undefined : batch.readBigInt64BE(MAX_TIMESTAMP_AT).toString();
  const firstTimestamp = Number(batch.readBigInt64BE(FIRST_TIMESTAMP_AT));
  const isControlRecord = (attributes & IS_CONTROL) !== 0;
  return Array.from({ length: batch.readInt32BE(COUNT_AT) }, () => {
    const size = readVarInt(reader);
    const end = reader.at + size;
    if (size < 0 || end > reader.bytes.length) throw new Error("a record of the batch is cut off");
    // The attributes of a record are not used by any version of the protocol.
    reader.at += 1;
    const sinceFirstMs = readVarInt(reader);
    const timestamp = arrival ?? String(firstTimestamp + sinceFirstMs);
    const offset = offsetOf(readVarInt(reader));
    const key = readBytes(reader);
    const value = readBytes(reader);
    const headers = readHeaders(reader);
    if (reader.at > end) throw new Error("a record of the batch is longer than it says");
    reader.at = end;
    return { offset, key, value, headers, timestamp, isControlRecord, batchContext };
  });
}

interface Reader {
  readonly bytes: Buffer;
  at: number;
}

async function unpacked(records: Buffer, attributes: number): Promise<Buffer> {
  const { lookupCodecByAttributes } = clientModule("protocol/message/compression/index.js") as {
    lookupCodecByAttributes(attributes: number): Codec | null;
  };
  const codec = lookupCodecByAttributes(attributes);
  return codec === null ? records : codec.decompress(records);
}

function offsetsFrom(base: bigint): (delta: number) => string {
  const first = Number(base);
  // A delta has 32 bits.
  if (Number.isSafeInteger(first + 2 ** 32)) return (delta) => String(first + delta);
  return (delta) => (base + BigInt(delta)).toString();
}

// Of zigzag and LEB128. Beyond 2^53, where only times that nobody sent lie, it is not exact.
function readVarInt(reader: Reader): number {
  const { bytes } = reader;
  let encoded = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[reader.at];
    if (byte === undefined || factor > 2 ** 63) throw new Error("a number of the batch is cut off");
    reader.at += 1;
    encoded += (byte % 128) * factor;
    if (byte < 128) break;
  }
  return encoded % 2 === 0 ? encoded / 2 : -(encoded + 1) / 2;
}

function readBytes(reader: Reader): Buffer | null {
  const size = readVarInt(reader);
  if (size < 0) return null;
  const from = reader.at;
  reader.at += size;
  return reader.bytes.subarray(from, reader.at);
}

function readHeaders(reader: Reader): Readonly<Record<string, unknown>> {
  const count = readVarInt(reader);
  if (count <= 0) return NO_HEADERS;
  const headers: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (let place = 0; place < count; place += 1) {
    const name = readBytes(reader)?.toString() ?? "";
    const value = readBytes(reader);
    if (place < MAX_MESSAGE_HEADERS) add(headers, name, value);
  }
  if (count > MAX_MESSAGE_HEADERS) add(headers, "headers-left-out", new LeftOutHeaders(count - MAX_MESSAGE_HEADERS));
  return headers;
}

function add(headers: Record<string, unknown>, name: string, value: unknown): void {
  const known = headers[name];
  headers[name] = known === undefined ? value : [...(Array.isArray(known) ? (known as unknown[]) : [known]), value];
}
