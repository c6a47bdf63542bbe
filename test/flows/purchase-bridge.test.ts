import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { eq, sql } from "drizzle-orm";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { deadLetters } from "../../drizzle/schema/events.ts";
import { operations } from "../../drizzle/schema/ledger.ts";
import { DomainError } from "../../src/base/errors.ts";
import type { EventBatchInput } from "../../src/contract/events.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { writeDeadLetters } from "../../src/store/events/dead-letters.ts";
import { listPurchases } from "../../src/store/ledger/purchases.ts";
import { createBridgeBench, purchaseMessage, TEST_SESSION_TIMEOUT_MS, type BridgeBench } from "../support/bridge.ts";
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

const newGroup = () => `group-${randomUUID().slice(0, 8)}`;
const operationsOf = (topic: string) =>
  bench.database.db.select().from(operations).where(eq(operations.topic, topic)).orderBy(operations.offset);
const lettersOf = (topic: string) =>
  bench.database.db.select().from(deadLetters).where(eq(deadLetters.topic, topic)).orderBy(deadLetters.offset);
const untilCommitted = (group: string, topic: string, offset: bigint) =>
  until(`offset ${offset} is committed`, async () => (await bench.committed(group, topic)) >= offset);

describe("the bridge of purchases", () => {
  it("turns events into revenue, in their order and with their position", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    await bench.producer.send(topic, [purchaseMessage({ event_id: "first" }), purchaseMessage({ amount: 100.1, service_id: 7 })]);
    const bridge = await bench.startBridge({ topic, group });
    await untilCommitted(group, topic, 2n);
    await bridge.stop();
    expect(await operationsOf(topic)).toMatchObject([
      { key: `event:${topic}#first`, kind: "charge", outcome: "done", amountMinor: 1_000n, serviceId: "unassigned", offset: 0n },
      { key: `event:${topic}@0:1`, amountMinor: 10_010n, serviceId: "7", offset: 1n, effectiveAt: new Date("2024-03-01T12:00:00Z") },
    ]);
  });

  it("keeps the name of an event's user, which is shown with the purchase, and takes no card number for one", async () => {
    const [topic, group, userId] = [await bench.newTopic(), newGroup(), `named-${randomUUID()}`];
    const names = ["Ann", 'a "b" paid by c', "", "4111 1111 1111 1111"];
    await bench.producer.send(
      topic,
      names.map((username) => purchaseMessage({ user_id: userId, username })),
    );
    const bridge = await bench.startBridge({ topic, group });
    await untilCommitted(group, topic, 4n);
    await bridge.stop();
    const purchases = await listPurchases(bench.database.db, { userId, limit: 10 });
    expect(purchases.map(({ username }) => username)).toEqual([undefined, 'a "b" paid by c', "Ann"]);
    expect(purchases[2]?.comment).toBe(`purchase of "Ann" paid by credit_card, event ${topic}/0/0`);
    expect(await lettersOf(topic)).toMatchObject([{ offset: 3n, code: "CARD_DATA_REFUSED" }]);
  });

  it("keeps what it cannot take as dead letters, with reason and original bytes, and the next event flows", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    const bad = [
      { key: "k1", value: null },
      { key: "k2", value: Buffer.from([0x7b, 0xff, 0xfe]) },
      { key: "k3", value: "{not json" },
      { key: "k4", value: "[1,2]" },
      purchaseMessage({ schema_version: 2 }),
      purchaseMessage({ amount: "-5.00", event_id: "negative" }),
      purchaseMessage({ amount: "0.00" }),
      { ...purchaseMessage({ currency: "???" }), headers: { trace: "t-1" } },
    ];
    await bench.producer.send(topic, [...bad, purchaseMessage()]);
    const bridge = await bench.startBridge({ topic, group });
    await untilCommitted(group, topic, 9n);
    await bridge.stop();
    const letters = await lettersOf(topic);
    expect(letters.map(({ code }) => code)).toEqual([
      "INVALID_EVENT",
      "MALFORMED_JSON",
      "MALFORMED_JSON",
      "INVALID_EVENT",
      "INVALID_EVENT",
      "INVALID_AMOUNT",
      "INVALID_AMOUNT",
      "INVALID_CURRENCY",
    ]);
    expect(letters.map(({ rawValue }) => rawValue)).toEqual(bad.map(({ value }) => (value === null ? null : Buffer.from(value))));
    expect(letters[7]?.headers).toEqual({ trace: "t-1" });
    expect(await operationsOf(topic)).toMatchObject([{ outcome: "done", offset: 8n }]);
    expect(bridge.crashes).toEqual([]);
  });

  it("keeps a message with ten thousand headers as a dead letter at once, and the next event flows", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    const headers = Object.fromEntries(Array.from({ length: 10_000 }, (_, place) => [`h${place}`, "x"]));
    await bench.producer.send(topic, [
      { ...purchaseMessage(), headers },
      { ...purchaseMessage(), headers: { constructor: "of its own", trace: "t-1" } },
    ]);
    const bridge = await bench.startBridge({ topic, group });
    await untilCommitted(group, topic, 2n);
    await bridge.stop();
    const letters = await lettersOf(topic);
    expect(letters).toMatchObject([{ code: "INVALID_EVENT", offset: 0n, headers: { h0: "x", h63: "x", "headers-left-out": "9936" } }]);
    expect(await operationsOf(topic)).toMatchObject([{ outcome: "done", offset: 1n }]);
    expect(bridge.crashes).toEqual([]);
  });

  it("changes nothing when everything is delivered again, cut at other places", async () => {
    const topic = await bench.newTopic();
    const [first, second] = [newGroup(), newGroup()];
    const messages = Array.from({ length: 30 }, (_, place) =>
      place % 10 === 9 ? { key: null, value: `bad ${place}` } : purchaseMessage({ user_id: `u${place % 3}` }),
    );
    await bench.producer.send(topic, messages);
    const before = await bench.startBridge({ topic, group: first, limits: { maxMessages: 4, maxBytes: 200_000 } });
    await untilCommitted(first, topic, 30n);
    await before.stop();
    const after = await bench.startBridge({ topic, group: second, limits: { maxMessages: 7, maxBytes: 200_000 } });
    await untilCommitted(second, topic, 30n);
    await after.stop();
    expect(await operationsOf(topic)).toHaveLength(27);
    expect(await lettersOf(topic)).toHaveLength(3);
  });

  it("takes an event's id once: the same again is a duplicate, with other content a dead letter", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    await bench.producer.send(topic, [
      purchaseMessage({ event_id: "e" }),
      purchaseMessage({ event_id: "e" }),
      purchaseMessage({ event_id: "e", amount: "11.00" }),
      purchaseMessage({ event_id: "e", amount: "12.00" }),
    ]);
    const bridge = await bench.startBridge({ topic, group });
    await untilCommitted(group, topic, 4n);
    await bridge.stop();
    expect(await operationsOf(topic)).toMatchObject([{ amountMinor: 1_000n, offset: 0n }]);
    expect(await lettersOf(topic)).toMatchObject([
      { code: "CONFLICT", offset: 2n, identity: `event:${topic}@0:2` },
      { code: "CONFLICT", offset: 3n, identity: `event:${topic}@0:3` },
    ]);
  });

  it("leaves a purchase that the wallet does not cover as a refused operation for ever, and no dead letter", async () => {
    const topic = await bench.newTopic();
    const groups = [newGroup(), newGroup()];
    await bench.producer.send(topic, [purchaseMessage({ user_id: "poor", payment_method: "wallet" })]);
    for (const group of groups) {
      const bridge = await bench.startBridge({ topic, group });
      await untilCommitted(group, topic, 1n);
      await bridge.stop();
      await bench.ledger.post(
        depositOperation({
          key: `deposit-${topic}`,
          userId: "poor",
          currency: "USD",
          amountMinor: 5_000n,
          comment: "late",
          origin: { caller: "test", correlationId: "test" },
        }),
      );
    }
    expect(await operationsOf(topic)).toMatchObject([{ outcome: "refused", refusalCode: "INSUFFICIENT_FUNDS" }]);
    expect(await lettersOf(topic)).toEqual([]);
  });

  it("waits out an outage of Temporal: no dead letter, no offset moved, still in its group, and then it goes on", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    let away = true;
    const runEventBatch = async (input: EventBatchInput, signal: AbortSignal) => {
      if (away) throw new DomainError("UNAVAILABLE", "Temporal is not reachable");
      return bench.starters.runEventBatch(input, signal);
    };
    const bridge = await bench.startBridge({ topic, group, starters: { runEventBatch } });
    await until("the bridge has its partition", () => bridge.assigned()?.length === 1);
    await bench.producer.send(topic, [purchaseMessage(), purchaseMessage()]);
    await until("the outage is known", () => bridge.outage() !== undefined);
    await sleep(TEST_SESSION_TIMEOUT_MS * 2);
    expect(await bench.committed(group, topic)).toBe(0n);
    expect(bridge.assigned()).toEqual([0]);
    away = false;
    await untilCommitted(group, topic, 2n);
    expect(bridge.outage()).toBeUndefined();
    await bridge.stop();
    expect(await operationsOf(topic)).toHaveLength(2);
    expect(await lettersOf(topic)).toEqual([]);
  });

  it("does not move the offset past a dead letter that could not be kept", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    let away = true;
    await bench.producer.send(topic, [{ key: null, value: "bad" }, purchaseMessage()]);
    const bridge = await bench.startBridge({
      topic,
      group,
      writeDeadLetters: async (letters) => {
        if (away) throw new DomainError("UNAVAILABLE", "the database is not reachable");
        return writeDeadLetters(bench.database.db, { deadLetterTopic: `dlq.${topic}`, letters });
      },
    });
    await until("the outage is known", () => bridge.outage() !== undefined);
    expect(await bench.committed(group, topic)).toBe(0n);
    away = false;
    await untilCommitted(group, topic, 2n);
    await bridge.stop();
    expect(await lettersOf(topic)).toHaveLength(1);
  });

  it("commits only what is done, and at the order to stop finishes what it has in hand", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    const seen: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    await bench.producer.send(
      topic,
      Array.from({ length: 9 }, () => purchaseMessage()),
    );
    const bridge = await bench.startBridge({
      topic,
      group,
      limits: { maxMessages: 3, maxBytes: 200_000 },
      starters: {
        runEventBatch: async (input, signal) => {
          seen.push(input.firstOffset);
          if (input.firstOffset === "3") await held;
          return bench.starters.runEventBatch(input, signal);
        },
      },
    });
    await until("the second chunk is in hand", () => seen.includes("3"));
    const committedMeanwhile = await bench.committed(group, topic);
    const stopped = bridge.stop();
    await sleep(200);
    release();
    await stopped;
    expect(committedMeanwhile).toBe(3n);
    expect(await bench.committed(group, topic)).toBe(6n);
    expect(seen).toEqual(["0", "3"]);
  });

  it("gives up a chunk that does not end when it must stop, without moving the offset", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    let waiting = false;
    await bench.producer.send(topic, [purchaseMessage()]);
    const bridge = await bench.startBridge({
      topic,
      group,
      starters: {
        runEventBatch: (_input, signal) => {
          waiting = true;
          return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new DomainError("DEADLINE_EXCEEDED"))));
        },
      },
    });
    await until("the chunk is in hand", () => waiting);
    await bridge.stop();
    expect(await bench.committed(group, topic)).toBe(0n);
  });

  it("goes on with what is left when the broker has deleted messages that were not read yet", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    await bench.producer.send(
      topic,
      Array.from({ length: 2 }, () => purchaseMessage()),
    );
    const before = await bench.startBridge({ topic, group });
    await untilCommitted(group, topic, 2n);
    await before.stop();
    await bench.producer.send(
      topic,
      Array.from({ length: 4 }, () => purchaseMessage()),
    );
    const admin = new Kafka({ brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "4" }] });
    await admin.disconnect();
    const after = await bench.startBridge({ topic, group });
    await untilCommitted(group, topic, 6n);
    await after.stop();
    expect((await operationsOf(topic)).map(({ offset }) => offset)).toEqual([0n, 1n, 4n, 5n]);
  });

  it("applies each event once while members come and go, and never commits beyond what is done", async () => {
    const [topic, group] = [await bench.newTopic(4), newGroup()];
    const count = 2_000;
    const done = new Map<number, Set<string>>([0, 1, 2, 3].map((partition) => [partition, new Set()]));
    const tooFar: string[] = [];
    const starters = {
      runEventBatch: async (input: EventBatchInput, signal: AbortSignal) => {
        await sleep(20);
        const result = await bench.starters.runEventBatch(input, signal);
        for (const { offset } of input.events) done.get(input.partition)?.add(offset);
        return result;
      },
    };
    const start = () => bench.startBridge({ topic, group, starters, limits: { maxMessages: 25, maxBytes: 200_000 } });
    const lasting = await start();
    for (let place = 0; place < count; place += 500) {
      await bench.producer.send(
        topic,
        Array.from({ length: 500 }, (_, n) => purchaseMessage({ user_id: `user-${place + n}` })),
      );
    }
    for (let round = 0; round < 3; round += 1) {
      const guest = await start();
      await sleep(800);
      for (const [partition, offset] of await bench.kafka.committedOffsets(group, topic)) {
        for (let n = 0n; n < offset; n += 1n) if (done.get(partition)?.has(n.toString()) !== true) tooFar.push(`${partition}:${n}`);
      }
      await guest.stop();
    }
    await untilCommitted(group, topic, BigInt(count));
    await lasting.stop();
    expect(tooFar).toEqual([]);
    expect(await operationsOf(topic)).toHaveLength(count);
    const [sum] = await bench.database.db
      .select({ total: sql<string>`sum(amount_minor)` })
      .from(operations)
      .where(eq(operations.topic, topic));
    expect(sum?.total).toBe(String(count * 1_000));
  });
});
