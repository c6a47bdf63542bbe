import { randomUUID } from "node:crypto";
import { MockActivityEnvironment } from "@temporalio/testing";
import { inject } from "vitest";
import { createEventActivities } from "../../activities/events.ts";
import { createKafka, ensureTopics, type Kafka, type KafkaProducer, type OutgoingMessage } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import type { TopicIncarnation } from "../../src/contract/topic-incarnations.ts";
import { deadLetterTopic } from "../../src/contract/topics.ts";
import type { EventReceipt } from "../../src/domain/events/receipts.ts";
import { createBatchReader } from "../../src/ingest/batch-reader.ts";
import { createEventShelf, type EventShelf } from "../../src/ingest/event-shelf.ts";
import type { EventTopic } from "../../src/ingest/event-topic.ts";
import { createIngest, type IngestDeps } from "../../src/ingest/ingest.ts";
import { purchaseTopic } from "../../src/ingest/ledger-events.ts";
import type { Starters } from "../../src/starters/index.ts";
import { writeDeadLetters, type DeadLetter } from "../../src/store/events/dead-letters.ts";
import { recordReceipts } from "../../src/store/events/receipts.ts";
import { bindEffects, findRedrives } from "../../src/store/events/redrives.ts";
import { readIncarnation } from "../../src/store/events/topic-incarnations.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import type { TestDatabase } from "./test-database.ts";

export const TEST_SESSION_TIMEOUT_MS = 1_500;

/** A topic of its own on the real broker, a ledger on a database of its own, and bridges between them. */
export interface BridgeBench {
  readonly kafka: Kafka;
  readonly producer: KafkaProducer;
  readonly database: Database;
  readonly ledger: Ledger;
  newTopic(partitions?: number): Promise<string>;
  /** Runs batches as the workflow's activity would, without Temporal. */
  readonly starters: Pick<Starters, "runEventBatch">;
  /** Where the bench's bridges put the events of their batches, as a bridge that runs workflows itself does. */
  readonly shelf: EventShelf;
  /** A bridge of purchases, or of the topic `kind`. */
  startBridge<Event extends object>(options: BridgeOptions<Event>): Promise<TestBridge>;
  committed(group: string, topic: string): Promise<bigint>;
  close(): Promise<void>;
}

type BridgeOptions<Event> = {
  readonly topic: string;
  readonly group: string;
  readonly kind?: EventTopic<Event>;
  readonly starters?: Pick<Starters, "runEventBatch">;
} & Partial<Pick<IngestDeps<Event>, "writeDeadLetters" | "limits" | "readIncarnation">>;

export interface TestBridge {
  readonly outage: () => string | undefined;
  readonly assigned: () => readonly number[] | undefined;
  readonly crashes: readonly Error[];
  stop(): Promise<void>;
}

/** Opens the bench. The caller stops the bridges and then closes it. */
export async function createBridgeBench(testDatabase: Pick<TestDatabase, "appUrl">): Promise<BridgeBench> {
  const brokers = inject("kafkaBrokers");
  const kafka = createKafka({ brokers, clientId: "test", logger: SILENT_LOG });
  const producer = kafka.createProducer();
  const database = createDatabase({ url: testDatabase.appUrl, name: "bridge-test", laneCount: 2, deadlineMs: 10_000 });
  const ledger = createLedger({ url: testDatabase.appUrl, name: "bridge-test", laneCount: 2, deadlineMs: 10_000 });
  const shelf = createEventShelf();
  const eventsAt = createBatchReader({
    shelf,
    redrives: { find: findRedrives.bind(undefined, database.db), bind: bindEffects.bind(undefined, database.db) },
    log: SILENT_LOG,
  });
  const activities = createEventActivities({ ledger, db: database.db, eventsAt });
  const starters: Pick<Starters, "runEventBatch"> = {
    runEventBatch: (input) =>
      "events" in input
        ? new MockActivityEnvironment().run(activities.applyEvents, input)
        : new MockActivityEnvironment().run(activities.applyEventsAt, input),
  };
  const bridges: TestBridge[] = [];

  return {
    kafka,
    producer,
    database,
    ledger,
    starters,
    shelf,
    async newTopic(partitions = 1) {
      const topic = `purchases-${randomUUID().slice(0, 8)}`;
      await ensureTopics(brokers, [{ topic, partitions, settings: { "compression.type": "uncompressed" } }]);
      return topic;
    },
    async startBridge<Event extends object>({ topic, group, kind, starters: changed, ...changes }: BridgeOptions<Event>) {
      const own = createKafka({ brokers, clientId: `test-${bridges.length}`, logger: SILENT_LOG });
      const consumer = own.createConsumer({ group, topic, sessionTimeoutMs: TEST_SESSION_TIMEOUT_MS, partitionsAtOnce: 4, graceMs: 3_000 });
      const shared = {
        writeDeadLetters: (letters: readonly DeadLetter[]) =>
          writeDeadLetters(database.db, { deadLetterTopic: kind?.deadLetterTopic ?? deadLetterTopic(topic), letters }),
        redrives: { find: findRedrives.bind(undefined, database.db), bind: bindEffects.bind(undefined, database.db) },
        recordReceipts: (receipts: readonly EventReceipt[]) => recordReceipts(database.db, receipts),
        readIncarnation: (name: string, incarnation: TopicIncarnation) => readIncarnation(database.db, name, incarnation),
        limits: { maxMessages: 100, maxBytes: 200_000 },
        backoff: { firstMs: 20, maxMs: 100 },
        log: SILENT_LOG,
        ...changes,
      };
      const ingest =
        kind === undefined
          ? createIngest({
              ...shared,
              topic: purchaseTopic(topic, { starters: changed ?? starters, ...(changed === undefined ? { shelf } : {}) }),
            })
          : createIngest({ ...shared, topic: kind });
      const crashes: Error[] = [];
      await consumer.run(ingest.handle, (error) => crashes.push(error));
      const bridge: TestBridge = {
        outage: ingest.outage,
        assigned: consumer.assigned,
        crashes,
        async stop() {
          await consumer.stop();
          await own.close();
        },
      };
      bridges.push(bridge);
      return bridge;
    },
    async committed(group, topic) {
      return [...(await kafka.committedOffsets(group, topic)).values()].reduce((sum, offset) => sum + offset, 0n);
    },
    async close() {
      await Promise.all(bridges.map((bridge) => bridge.stop()));
      await producer.close();
      await kafka.close();
      await ledger.close();
      await database.close();
    },
  };
}

/** A valid purchase as a message, with the changes of the test. */
export function purchaseMessage(change: Readonly<Record<string, unknown>> = {}): OutgoingMessage {
  const event = {
    user_id: "ann",
    username: "Ann",
    amount: "10.00",
    currency: "USD",
    payment_method: "credit_card",
    transaction_date: "2024-03-01T12:00:00Z",
    ...change,
  };
  return { key: event.user_id, value: JSON.stringify(event) };
}

/** An event as a message, keyed by `key`. */
export function eventMessage(key: string, event: Readonly<Record<string, unknown>>): OutgoingMessage {
  return { key, value: JSON.stringify(event) };
}
