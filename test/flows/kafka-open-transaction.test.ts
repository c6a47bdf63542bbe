import { randomUUID } from "node:crypto";
import { Kafka as KafkaClient, logLevel, type Producer } from "kafkajs";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createLagReader } from "../../src/adapters/kafka/kafka-lag.ts";
import { ensureTopics } from "../../src/adapters/kafka/kafka.ts";
import type { EventRow } from "../../src/cli/import/event-csv.ts";
import { importEvents, type ImportDeps } from "../../src/cli/import/import-events.ts";
import { traceEvents } from "../../src/store/events/import-tally.ts";
import { lagInWords } from "../../workers/parts/dependency-checks.ts";
import { createBridgeBench, purchaseMessage, type BridgeBench } from "../support/bridge.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let testDatabase: TestDatabase;
let bench: BridgeBench;
let producer: Producer;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  bench = await createBridgeBench(testDatabase);
  const client = new KafkaClient({ clientId: "open", brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING });
  producer = client.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    transactionalId: `open-${randomUUID()}`,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
});

afterAll(async () => {
  await producer.disconnect();
  await bench.close();
  await testDatabase.drop();
});

async function newPlace() {
  const topic = `open-${randomUUID().slice(0, 8)}`;
  await ensureTopics(inject("kafkaBrokers"), [{ topic, partitions: 1, settings: {} }]);
  return { topic, group: `open-${randomUUID().slice(0, 8)}` };
}

it("while a transaction is open the lag goes on to the end, and what stands behind it is shown beside", async () => {
  const where = await newPlace();
  await bench.producer.send(where.topic, [purchaseMessage({ event_id: "before" })]);
  const transaction = await producer.transaction();
  await transaction.send({ topic: where.topic, messages: [{ key: "ann", value: "open" }] });
  await bench.producer.send(where.topic, [purchaseMessage({ event_id: "behind" })]);
  const readLag = () => createLagReader(bench.kafka, [where], { deadlineMs: 5_000 })();

  expect(await bench.kafka.topicOffsets(where.topic)).toEqual([{ partition: 0, low: 0n, high: 3n, stable: 1n }]);
  const bridge = await bench.startBridge(where);
  await until("what may be read is done", async () => (await bench.committed(where.group, where.topic)) === 1n);
  const lags = await readLag();
  expect(lags).toMatchObject([{ lag: 2n, stableLag: 0n }]);
  expect(lagInWords(lags)).toEqual({ [`lag ${where.topic}/0`]: "2", [`behind an open transaction ${where.topic}/0`]: "2" });

  await transaction.abort();
  await until("the rest is done, its marker too", async () => (await bench.committed(where.group, where.topic)) === 4n);
  expect(await readLag()).toMatchObject([{ lag: 0n, stableLag: 0n }]);
  await bridge.stop();
});

it("an import waits for what stands behind an open transaction, and names it when that takes too long", async () => {
  const { topic, group } = await newPlace();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ key: "ann", value: "open" }] });
  const bridge = await bench.startBridge({ topic, group });
  const deps: ImportDeps = {
    kafka: bench.kafka,
    producer: bench.producer,
    db: bench.database.db,
    topic,
    group,
    placeTopic: async () => topic,
    trace: traceEvents,
    settleMs: 0,
    progress: { produced: () => {}, consumed: () => {} },
    onBadRow: () => {},
    nowMs: () => performance.now(),
  };
  await expect(importEvents(deps, () => rows("first"), 1_500)).rejects.toThrow(
    `1 of 1 messages are not done after 2 s; a transaction of another producer is open on ${topic}/0 from offset 0: what stands behind it is read when it ends`,
  );
  const imported = importEvents(deps, () => rows("second"), 60_000);
  await until("it is produced", async () => (await bench.kafka.topicOffsets(topic))[0]?.high === 3n);
  await transaction.commit();
  expect(await imported).toMatchObject({ produced: 1, applied: 1, missing: 0 });
  await bridge.stop();
});

async function* rows(eventId: string): AsyncGenerator<EventRow> {
  const { value } = purchaseMessage({ event_id: eventId });
  yield { line: 2, key: "ann", eventId, json: String(value) };
}
