import { randomUUID } from "node:crypto";
import { MockActivityEnvironment } from "@temporalio/testing";
import { eq } from "drizzle-orm";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createEventActivities } from "../../activities/events.ts";
import { deadLetters } from "../../drizzle/schema/events.ts";
import { operations } from "../../drizzle/schema/ledger.ts";
import { ensureTopics } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import type { EventBatchPlace, EventBatchResult } from "../../src/contract/events.ts";
import { createBatchReader } from "../../src/ingest/batch-reader.ts";
import { createEventShelf } from "../../src/ingest/event-shelf.ts";
import { purchaseTopic } from "../../src/ingest/ledger-events.ts";
import { bindEffects, findRedrives } from "../../src/store/events/redrives.ts";
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

const MESSAGES = [
  purchaseMessage({ event_id: "first" }),
  purchaseMessage({ amount: "7.00" }),
  { key: "k", value: "no event" },
  purchaseMessage({ amount: "8.00" }),
];
const newGroup = () => `group-${randomUUID().slice(0, 8)}`;
const operationsOf = (topic: string) =>
  bench.database.db.select().from(operations).where(eq(operations.topic, topic)).orderBy(operations.offset);

/** A worker of another process: nothing is on its shelf, so it reads what it needs from Kafka. */
function workerElsewhere() {
  const { db } = bench.database;
  const eventsAt = createBatchReader({
    shelf: createEventShelf(),
    readRange: bench.kafka.readRange,
    redrives: { find: findRedrives.bind(undefined, db), bind: bindEffects.bind(undefined, db) },
    log: SILENT_LOG,
  });
  const activities = createEventActivities({ ledger: bench.ledger, db, eventsAt });
  return (place: EventBatchPlace) => new MockActivityEnvironment().run(activities.applyEventsAt, place);
}

/** The place that a bridge hands over before it dies: its workflow is never answered, and nothing of the batch is booked. */
async function handedOverBeforeDeath(topic: string, group: string): Promise<EventBatchPlace> {
  const handedOver: EventBatchPlace[] = [];
  const starters = {
    runEventBatch: (start: unknown, signal: AbortSignal) => {
      handedOver.push(start as EventBatchPlace);
      return new Promise<EventBatchResult>((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("dead"))));
    },
  };
  const bridge = await bench.startBridge({ topic, group, kind: purchaseTopic(topic, { starters, shelf: createEventShelf() }) });
  await until("a batch is handed over", () => handedOver.length > 0);
  await bridge.stop();
  const [place] = handedOver;
  if (place === undefined) throw new Error("nothing was handed over");
  return place;
}

describe("a batch whose bridge dies between handing over and booking", () => {
  it("is read from Kafka again and booked by another worker, and changes nothing when the next bridge has it too", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    await bench.producer.send(topic, MESSAGES);
    const place = await handedOverBeforeDeath(topic, group);
    expect(place).toMatchObject({ topic, firstOffset: "0", lastOffset: "3", count: 3 });
    expect(JSON.stringify(place)).not.toContain("ann");
    expect(await operationsOf(topic)).toEqual([]);

    expect(await workerElsewhere()(place)).toMatchObject({ applied: 3, duplicates: 0, conflicts: [], failures: [] });
    const booked = await operationsOf(topic);
    expect(booked).toMatchObject([
      { key: `event:${topic}#first`, offset: 0n, amountMinor: 1_000n },
      { key: `event:${topic}@0:1`, offset: 1n, amountMinor: 700n },
      { key: `event:${topic}@0:3`, offset: 3n, amountMinor: 800n },
    ]);

    const bridge = await bench.startBridge({ topic, group });
    await until("the next bridge is done", async () => (await bench.committed(group, topic)) === 4n);
    await bridge.stop();
    expect(await operationsOf(topic)).toEqual(booked);
    expect(await bench.database.db.select().from(deadLetters).where(eq(deadLetters.topic, topic))).toMatchObject([{ offset: 2n }]);
  });

  it("keeps its events where the batch spans aborted transactions and their markers", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    const client = new Kafka({ brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING });
    const producer = client.producer({ transactionalId: `places-${randomUUID()}`, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    for (const [amount, end] of [
      ["1.00", "commit"],
      ["2.00", "abort"],
      ["3.00", "commit"],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ key: "k", value: purchaseMessage({ amount }).value }] });
      await transaction[end]();
    }
    await producer.disconnect();
    const place = await handedOverBeforeDeath(topic, group);
    expect(await workerElsewhere()(place)).toMatchObject({ applied: place.count });
    expect((await operationsOf(topic)).map(({ amountMinor }) => amountMinor).slice(0, place.count)).not.toContain(200n);
  });

  it("is read again also where what stands behind it cannot be read", async () => {
    const [topic, group] = [`packed-${randomUUID().slice(0, 8)}`, newGroup()];
    // As others make topics: batches stay packed as their producers packed them.
    await ensureTopics(inject("kafkaBrokers"), [{ topic, partitions: 1, settings: {} }]);
    await bench.producer.send(topic, MESSAGES);
    const client = new Kafka({ brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING });
    const producer = client.producer();
    await producer.connect();
    // More than Saldo unpacks of one batch of records.
    await producer.send({ topic, compression: CompressionTypes.GZIP, messages: [{ value: Buffer.alloc(70_000_000) }] });
    await producer.disconnect();
    const place = await handedOverBeforeDeath(topic, group);
    expect(place).toMatchObject({ firstOffset: "0", lastOffset: "3" });
    expect(await workerElsewhere()(place)).toMatchObject({ applied: 3 });
    // What cannot be read inside of a range is no reason to book the rest of it.
    await expect(workerElsewhere()({ ...place, lastOffset: "4" })).rejects.toThrow("cannot be read");
  });

  it("is refused with a code, and nothing of it is booked, when its messages were removed meanwhile", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    await bench.producer.send(topic, MESSAGES);
    const place = await handedOverBeforeDeath(topic, group);
    await deleteBefore(topic, "2");
    await expect(workerElsewhere()(place)).rejects.toMatchObject({ code: "EVENTS_REMOVED" });
    expect(await operationsOf(topic)).toEqual([]);
  });

  it("is refused with a code, and nothing of it is booked, when the topic was made again with other messages meanwhile", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    await bench.producer.send(topic, MESSAGES);
    const place = await handedOverBeforeDeath(topic, group);
    const elsewhere = workerElsewhere();
    const admin = new Kafka({ brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await until("the topic can be made again", () =>
      admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }).then(
        (made) => made,
        () => false,
      ),
    );
    await admin.disconnect();
    await until("the new topic takes messages", () =>
      bench.producer.send(topic, MESSAGES).then(
        () => true,
        () => false,
      ),
    );
    await expect(elsewhere(place)).rejects.toMatchObject({ code: "EVENTS_REMOVED" });
    expect(await operationsOf(topic)).toEqual([]);
  });

  it("is refused with a code, and nothing of it is booked, when other messages stand there than it was made of", async () => {
    const [topic, group] = [await bench.newTopic(), newGroup()];
    await bench.producer.send(topic, MESSAGES);
    const place = await handedOverBeforeDeath(topic, group);
    await expect(workerElsewhere()({ ...place, sha256: "0".repeat(64) })).rejects.toMatchObject({ code: "EVENTS_CHANGED" });
    await expect(workerElsewhere()({ ...place, count: 2 })).rejects.toMatchObject({ code: "EVENTS_CHANGED" });
    expect(await operationsOf(topic)).toEqual([]);
  });
});

async function deleteBefore(topic: string, offset: string): Promise<void> {
  const admin = new Kafka({ brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  // The client deletes nothing of a topic that it was not asked about before.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  await admin.disconnect();
}
