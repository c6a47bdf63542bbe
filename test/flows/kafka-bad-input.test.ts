import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { eq } from "drizzle-orm";
import { CompressionCodecs, CompressionTypes, Kafka, logLevel, Partitioners, type Message } from "kafkajs";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { deadLetters } from "../../drizzle/schema/events.ts";
import { operations } from "../../drizzle/schema/ledger.ts";
import type { OutgoingMessage } from "../../src/adapters/kafka/kafka.ts";
import { DomainError } from "../../src/base/errors.ts";
import { createBridgeBench, purchaseMessage, type BridgeBench } from "../support/bridge.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let testDatabase: TestDatabase;
let bench: BridgeBench;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  bench = await createBridgeBench(testDatabase);
});

afterAll(async () => {
  await bench.close();
  await testDatabase.drop();
});

const SNAPPY = CompressionTypes.Snappy;
const GOOD = { event_id: "good" };

/** Hands the topic to a bridge, redelivers all of it to another one, and answers what became of the messages. */
async function outcomeOf(topic: string, count: bigint) {
  for (let delivery = 0; delivery < 2; delivery += 1) {
    const group = `group-${randomUUID().slice(0, 8)}`;
    const bridge = await bench.startBridge({ topic, group });
    await until("everything is committed", async () => (await bench.committed(group, topic)) >= count);
    await bridge.stop();
    expect(bridge.crashes).toEqual([]);
  }
  const { db } = bench.database;
  const letters = await db.select().from(deadLetters).where(eq(deadLetters.topic, topic)).orderBy(deadLetters.offset);
  const done = await db.select().from(operations).where(eq(operations.topic, topic)).orderBy(operations.offset);
  return { codes: letters.map(({ code }) => code), letters, done };
}

const bad = (value: string | Buffer | null): OutgoingMessage => ({ key: "ann", value });
const NEGATIVE = purchaseMessage({ amount: "-1.00" });
const OVERFLOW = purchaseMessage({ amount: "9".repeat(1_000) });
const headers = Object.fromEntries(Array.from({ length: 10_000 }, (_, place) => [`h${place}`, "x"]));

describe("every bad message is dead-lettered once, the offset moves and the next one is applied", () => {
  it.each<[string, string, OutgoingMessage]>([
    ["K1 no value (a tombstone)", "INVALID_EVENT", bad(null)],
    ["K1 an empty value", "INVALID_EVENT", bad("")],
    ["K2 bytes that are not UTF-8", "MALFORMED_JSON", bad(Buffer.from([0x7b, 0xff, 0xfe]))],
    ["K3 text that is not JSON", "MALFORMED_JSON", bad("<purchase/>")],
    ["K4 a list", "INVALID_EVENT", bad("[]")],
    ["K4 a number", "INVALID_EVENT", bad("5")],
    ["K4 null", "INVALID_EVENT", bad("null")],
    ["K5 another version of the schema", "INVALID_EVENT", purchaseMessage({ schema_version: 2 })],
    ["K8 more than 64 KiB", "PAYLOAD_TOO_LARGE", purchaseMessage({ note: "x".repeat(70_000) })],
    ["K8 nearly as large as the broker takes", "PAYLOAD_TOO_LARGE", bad("x".repeat(1_000_000))],
    ["K10 a date of 1970", "INVALID_EVENT", purchaseMessage({ transaction_date: "1970-01-01T00:00:00Z" })],
    ["K10 a date of 2100", "INVALID_EVENT", purchaseMessage({ transaction_date: "2100-01-01T00:00:00Z" })],
    ["K11 a negative amount", "INVALID_AMOUNT", NEGATIVE],
    ["K11 an amount of a thousand digits", "INVALID_AMOUNT", OVERFLOW],
    ["K12 a value that is gzip itself", "MALFORMED_JSON", bad(gzipSync("x".repeat(100_000)))],
    ["K13 ten thousand headers", "INVALID_EVENT", { ...purchaseMessage(), headers }],
  ])("%s", async (_name, code, message) => {
    const topic = await bench.newTopic();
    await bench.producer.send(topic, [message, purchaseMessage(GOOD)]);
    const { codes, letters, done } = await outcomeOf(topic, 2n);
    expect(codes).toEqual([code]);
    // The matcher compares a megabyte byte by byte, in half a minute on a busy machine.
    const kept = letters[0]?.rawValue;
    expect(message.value === null ? kept === null : kept?.equals(Buffer.from(message.value))).toBe(true);
    expect(done).toMatchObject([{ key: `event:${topic}#good`, outcome: "done" }]);
  });
});

describe("what only looks bad", () => {
  it("K6 an event without an id is known by its place: two equal purchases are two", async () => {
    const topic = await bench.newTopic();
    await bench.producer.send(topic, [purchaseMessage(), purchaseMessage()]);
    const { codes, done } = await outcomeOf(topic, 2n);
    expect(codes).toEqual([]);
    expect(done.map(({ key }) => key)).toEqual([`event:${topic}@0:0`, `event:${topic}@0:1`]);
  });

  it("K9 an event whose key is not its user is applied to the user it names", async () => {
    const topic = await bench.newTopic();
    await bench.producer.send(topic, [
      { ...purchaseMessage({ user_id: "ben" }), key: "ann" },
      { ...purchaseMessage(), key: null },
    ]);
    const { codes, done } = await outcomeOf(topic, 2n);
    expect(codes).toEqual([]);
    expect(done.map(({ userId }) => userId)).toEqual(["ben", "ann"]);
  });

  it("K14 a valid event that the business refuses stands as refused, and is no dead letter", async () => {
    const topic = await bench.newTopic();
    await bench.producer.send(topic, [purchaseMessage({ user_id: "empty", payment_method: "wallet" }), purchaseMessage(GOOD)]);
    const { codes, done } = await outcomeOf(topic, 2n);
    expect(codes).toEqual([]);
    expect(done).toMatchObject([{ outcome: "refused", refusalCode: "INSUFFICIENT_FUNDS" }, { outcome: "done" }]);
  });
});

it("K7 the same id with other content is a CONFLICT, and the first one stands", async () => {
  const topic = await bench.newTopic();
  await bench.producer.send(topic, [
    purchaseMessage(GOOD),
    purchaseMessage({ ...GOOD, user_id: "ben" }),
    purchaseMessage({ event_id: "next" }),
  ]);
  const { codes, done } = await outcomeOf(topic, 3n);
  expect(codes).toEqual(["CONFLICT"]);
  expect(done).toMatchObject([{ userId: "ann" }, { key: `event:${topic}#next` }]);
});

it("K15 an outage of the database is waited out: no dead letter, no offset moved, and then all is applied", async () => {
  const [topic, group] = [await bench.newTopic(), `group-${randomUUID().slice(0, 8)}`];
  let away = true;
  const bridge = await bench.startBridge({
    topic,
    group,
    starters: {
      runEventBatch: async (batch, signal) => {
        if (away) throw new DomainError("UNAVAILABLE", "the database is not reachable");
        return bench.starters.runEventBatch(batch, signal);
      },
    },
  });
  await bench.producer.send(topic, [purchaseMessage(GOOD), bad("no json")]);
  await until("the outage is known", () => bridge.outage() !== undefined);
  expect(await bench.committed(group, topic)).toBe(0n);
  const { db } = bench.database;
  expect(await db.select().from(deadLetters).where(eq(deadLetters.topic, topic))).toEqual([]);
  away = false;
  await until("everything is committed", async () => (await bench.committed(group, topic)) === 2n);
  await bridge.stop();
  expect(await db.select().from(deadLetters).where(eq(deadLetters.topic, topic))).toMatchObject([{ code: "MALFORMED_JSON" }]);
});

describe("K12 what is packed", () => {
  /** A client of its own, as a producer elsewhere would be. */
  async function sendPacked(topic: string, compression: CompressionTypes, messages: Message[]): Promise<void> {
    const producer = new Kafka({ brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING, retry: { retries: 0 } }).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    try {
      await producer.send({ topic, compression, messages });
    } finally {
      await producer.disconnect();
    }
  }

  it("by a compression that the client would have to unpack is unpacked by the broker, and applied", async () => {
    const topic = await bench.newTopic();
    const refuse = () => Promise.reject(new Error("the consumer must never have to read this"));
    const ours = CompressionCodecs[SNAPPY];
    CompressionCodecs[SNAPPY] = () => ({ compress: async ({ buffer }: { buffer: Buffer }) => snappyLiterals(buffer), decompress: refuse });
    try {
      await sendPacked(topic, SNAPPY, [purchaseMessage(GOOD)]);
      const { codes, done } = await outcomeOf(topic, 1n);
      expect(codes).toEqual([]);
      expect(done).toMatchObject([{ key: `event:${topic}#good`, outcome: "done" }]);
    } finally {
      CompressionCodecs[SNAPPY] = ours;
    }
  });

  it("and small only while packed is refused to its producer, and nobody else is held up", async () => {
    const topic = await bench.newTopic();
    const bomb = { key: "ann", value: Buffer.alloc(20_000_000) };
    await expect(sendPacked(topic, CompressionTypes.GZIP, [bomb])).rejects.toThrow(/larger|large/i);
    await sendPacked(topic, CompressionTypes.GZIP, [purchaseMessage(GOOD)]);
    const { codes, done } = await outcomeOf(topic, 1n);
    expect(codes).toEqual([]);
    expect(done).toMatchObject([{ outcome: "done" }]);
  });
});

/** Snappy of literals only: its length, then runs of up to 60 bytes as they are. */
function snappyLiterals(buffer: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = buffer.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  const parts: Buffer[] = [Buffer.from(length)];
  for (let at = 0; at < buffer.length; at += 60) {
    const run = buffer.subarray(at, at + 60);
    parts.push(Buffer.from([(run.length - 1) << 2]), run);
  }
  return Buffer.concat(parts);
}
