import { messageOf } from "../../base/errors.ts";
import { checksumOf } from "./kafka-checksum.ts";
import { clientModule, replaceClientModule } from "./kafka-internals.ts";
import { readBatchRecords, type BatchContext, type BatchRecord } from "./kafka-record-reading.ts";

/** Why nothing more of a partition can be read: what stands from `fromOffset` on, or what the broker said of the partition. */
export class Unreadable {
  readonly reason: string;
  /** Where it begins; undefined when that is not known. */
  readonly fromOffset: string | undefined;

  constructor(reason: string, fromOffset?: string) {
    this.reason = reason;
    this.fromOffset = fromOffset;
  }
}

/** Why nothing more is read of a partition; "out-of-range" when the broker has nothing at the offset that was asked for. */
export type Trouble = Unreadable | "out-of-range";

/** A record as the client hands it on. Control records are never handed to a handler, but count for where a partition is read next. */
export interface ClientRecord extends Omit<BatchRecord, "batchContext"> {
  /** Messages of before Kafka 0.11 have none. */
  readonly batchContext?: BatchContext;
  /** Stands on a record that nobody sent, behind the last one that could be read. */
  readonly trouble?: Trouble;
}

interface Decoder {
  readonly buffer: Buffer;
  offset: number;
  canReadBytes(length: number): boolean;
  readBytes(length: number): Buffer;
  readInt32(): number;
}

type DecoderClass = new (buffer: Buffer) => Decoder;

/** Of a record batch, by their places: base offset 0, length 8, magic 16, CRC 17, attributes 21, last offset delta 23, producer 43, count 57. */
const HEADER_BYTES = 61;
const MAGIC_AT = 16;
const RECORD_BATCH_MAGIC = 2;
const MAX_RECORDS = 500_000;
const NOWHERE: BatchContext = { producerId: "-1", inTransaction: false };
const LAST_OFFSET = "9223372036854775807";

/**
 * Replaces kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js, which every later version of the fetch uses. There a batch of 126,000
 * records is an error (`push(...records)` overflows the stack), a batch that is empty after compaction is read again for ever, and one
 * batch that cannot be decoded throws away the answer for all partitions. Has to run before the first fetch. Safe to retry.
 */
export function replaceRecordReading(): void {
  replaceClientModule("protocol/requests/fetch/v4/decodeMessages.js", readRecords);
}

/**
 * The records of a partition in a fetch's answer, in their order. Ends with a record that says why, where they cannot be read.
 * Never throws on content.
 */
export async function readRecords(decoder: Decoder): Promise<ClientRecord[]> {
  const bytes = decoder.readInt32();
  if (bytes <= 0 || !decoder.canReadBytes(bytes)) return [];
  const buffer = decoder.readBytes(bytes);
  const records: ClientRecord[] = [];
  // The last batch may be cut off, where the fetch was full.
  for (let at = 0; at + MAGIC_AT < buffer.length;) {
    const end = at + 12 + buffer.readInt32BE(at + 8);
    if (end > buffer.length) break;
    try {
      if (buffer.readInt8(at + MAGIC_AT) !== RECORD_BATCH_MAGIC) return append(records, await readOldMessages(buffer.subarray(at)));
      append(records, await readBatch(buffer.subarray(at, end)));
    } catch (error) {
      records.push(unreadableBatch(buffer.subarray(at, end), messageOf(error)));
      break;
    }
    at = end;
  }
  return records;
}

/** A record that stands for what cannot be read, after everything that can. */
export function troubleRecord(trouble: Trouble, offset = LAST_OFFSET, batchContext = NOWHERE): ClientRecord {
  return emptyRecord(offset, batchContext, { isControlRecord: false, trouble });
}

async function readBatch(batch: Buffer): Promise<ClientRecord[]> {
  if (batch.length < HEADER_BYTES) throw new Error("the length of the batch is none");
  const codec = batch.readInt16BE(21) & 7;
  if (codec > 4) throw new Error(`the batch is packed by the unknown codec ${codec}`);
  const count = batch.readInt32BE(57);
  if (count < 0 || count > MAX_RECORDS) throw new Error(`the batch has ${count} records; ${MAX_RECORDS} are read at most`);
  if (checksumOf(batch.subarray(21)) !== batch.readUInt32BE(17)) throw new Error("the checksum of the batch is wrong");
  const records: ClientRecord[] = await readBatchRecords(batch, contextOf(batch));
  const last = lastOffsetOf(batch);
  // What compaction or an empty batch leaves out at the end is passed over like a control record.
  if (records.at(-1)?.offset !== last) records.push(emptyRecord(last, contextOf(batch), { isControlRecord: true }));
  return records;
}

function emptyRecord(offset: string, batchContext: BatchContext, more: Pick<ClientRecord, "isControlRecord" | "trouble">): ClientRecord {
  return { offset, key: null, value: null, headers: {}, timestamp: "-1", batchContext, ...more };
}

// Of an aborted transaction not even this is handed on, so it stands at the batch's last offset and with its producer.
function unreadableBatch(batch: Buffer, reason: string): ClientRecord {
  const isNew = batch.length >= HEADER_BYTES && batch.readInt8(MAGIC_AT) === RECORD_BATCH_MAGIC;
  const trouble = new Unreadable(reason, batch.readBigInt64BE(0).toString());
  return isNew ? troubleRecord(trouble, lastOffsetOf(batch), contextOf(batch)) : troubleRecord(trouble);
}

async function readOldMessages(buffer: Buffer): Promise<ClientRecord[]> {
  const decode = clientModule("protocol/messageSet/decoder.js") as (decoder: Decoder, size: number) => Promise<ClientRecord[]>;
  return decode(newDecoder(buffer), buffer.length);
}

function newDecoder(buffer: Buffer): Decoder {
  return new (clientModule("protocol/decoder.js") as DecoderClass)(buffer);
}

function lastOffsetOf(batch: Buffer): string {
  return (batch.readBigInt64BE(0) + BigInt(batch.readInt32BE(23))).toString();
}

function contextOf(batch: Buffer): BatchContext {
  return { producerId: batch.readBigInt64BE(43).toString(), inTransaction: (batch.readInt16BE(21) & 0x10) !== 0 };
}

function append(records: ClientRecord[], more: readonly ClientRecord[]): ClientRecord[] {
  for (const record of more) records.push(record);
  return records;
}
