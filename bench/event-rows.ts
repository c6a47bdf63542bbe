import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { createKafka, ensureTopics, type Kafka } from "../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../src/adapters/log.ts";
import { messageOf } from "../src/base/errors.ts";
import { loadEvent } from "../src/cli/produce/event-load.ts";
import type { Config } from "../src/config.ts";
import { incomingPlan } from "../src/contract/topics.ts";
import { auditBooks } from "../src/store/ledger/audit.ts";
import { createDatabase } from "../src/store/postgres/database.ts";
import { BRIDGE_LIMITS } from "../workers/parts/bridge-limits.ts";
import { openBenchBridge } from "./bench-bridge.ts";
import type { Plan } from "./ledger-rows.ts";
import { countPlainEvents, createPlainTable, startPlainConsumer } from "./plain-consumer.ts";
import { interleave } from "./rounds.ts";
import { makeRow, type Row } from "./row.ts";

const USERS = 1_000;
const SEND_SIZE = 1_000;
/** A round is one backlog, with this many events for each second that the plan gives a round. */
const EVENTS_PER_SECOND = 4_000;
const POLL_MS = 20;
const PATIENCE_MS = 300_000;

/** The addresses of the measured system, and the configuration that its processes have. */
export interface EventSystem {
  readonly config: Config;
  readonly brokers: readonly string[];
  readonly appUrl: string;
  readonly adminUrl: string;
}

/** Measures how fast the bridge takes backlogs of purchases, against a bare consumer. Throws: Error when an event is missing or doubled, or the books are wrong. */
export async function measureEventRows(system: EventSystem, plan: Plan): Promise<Row[]> {
  const kafka = createKafka({ brokers: system.brokers, clientId: "bench-events", logger: SILENT_LOG });
  const events = Math.round((plan.durationMs / 1_000) * EVENTS_PER_SECOND);
  const topics: string[] = [];
  const bridge = await openBenchBridge(system.config, system.brokers);
  await createPlainTable(system);
  const ours = async (count = events) => {
    const topic = await backlog(system, kafka, count, topics.length);
    topics.push(topic);
    return drained(kafka, topic, count, bridge.read(topic));
  };
  const baseline = async (count = events) => {
    const topic = await backlog(system, kafka, count, 0);
    let failure: Error | undefined;
    const consumer = await startPlainConsumer({
      brokers: system.brokers,
      topic,
      databaseUrl: system.appUrl,
      partitionsAtOnce: BRIDGE_LIMITS.partitionsAtOnce,
      onFailure: (error) => void (failure = error),
    });
    const rate = await drained(kafka, topic, count, { ...consumer, failure: () => failure });
    const found = await countPlainEvents(system, topic);
    if (found !== count) throw new Error(`the bare consumer wrote ${found} of ${count} events`);
    return rate;
  };
  try {
    await ours(EVENTS_PER_SECOND);
    await baseline(EVENTS_PER_SECOND);
    plan.say(`events: ${plan.rounds} rounds of ${events}`);
    const text = {
      name: "events",
      what: "purchase events, Kafka to committed ledger",
      baseline: "a bare kafkajs consumer, one multi-row INSERT per batch",
      unit: "/s",
      goal: { atLeast: 0.5 },
    };
    const row = makeRow(text, await interleave(plan.rounds, { ours: () => ours(), baseline: () => baseline() }));
    await checkBooks(system, topics, EVENTS_PER_SECOND + plan.rounds * events);
    return [row];
  } finally {
    await bridge.close();
    await kafka.close();
  }
}

async function backlog(system: EventSystem, kafka: Kafka, count: number, place: number): Promise<string> {
  const topic = `bench-${randomUUID().slice(0, 8)}`;
  await ensureTopics(system.brokers, [incomingPlan(topic)]);
  const producer = kafka.createProducer();
  const load = {
    kind: "purchase",
    users: USERS,
    seed: place,
    currency: "RUB",
    services: [],
    occurredAt: "2026-01-01T00:00:00.000Z",
  } as const;
  try {
    for (let from = 0; from < count; from += SEND_SIZE) {
      const size = Math.min(SEND_SIZE, count - from);
      await producer.send(
        topic,
        Array.from({ length: size }, (_, index) => loadEvent(load, from + index)),
      );
    }
  } finally {
    await producer.close();
  }
  return topic;
}

interface Reader {
  joined(): boolean;
  failure(): Error | undefined;
  stop(): Promise<void>;
}

/** Events per second, from the moment the reader has joined its group, which takes both sides seconds, to the last committed offset. Stops the reader. */
async function drained(kafka: Kafka, topic: string, count: number, reader: Reader): Promise<number> {
  try {
    let joinedAtMs: number | undefined;
    for (const endsAtMs = performance.now() + PATIENCE_MS; performance.now() < endsAtMs; await sleep(POLL_MS)) {
      const failure = reader.failure();
      if (failure !== undefined) throw new Error(`reading ${topic}: ${messageOf(failure)}`);
      if (!reader.joined()) continue;
      joinedAtMs ??= performance.now();
      const committed = await kafka.committedOffsets(topic, topic);
      const done = [...committed.values()].reduce((sum, offset) => sum + Number(offset), 0);
      if (done === count) return (count * 1_000) / (performance.now() - joinedAtMs);
    }
    throw new Error(`${topic} was not read to its end in time`);
  } finally {
    await reader.stop();
  }
}

async function checkBooks(system: EventSystem, topics: readonly string[], events: number): Promise<void> {
  const database = createDatabase({ url: system.appUrl, name: "bench-audit", laneCount: 1, deadlineMs: 600_000 });
  try {
    const [row] = await database.db.execute<{ found: number; letters: number }>(sql`
      select (select count(*)::int from operations where topic in ${topics} and outcome = 'done') as found,
             (select count(*)::int from dead_letters where topic in ${topics}) as letters`);
    if (row?.found !== events || row.letters !== 0)
      throw new Error(`of ${events} events ${row?.found ?? 0} stand in the books and ${row?.letters ?? 0} are dead letters`);
    const audit = await auditBooks(database.db);
    if (!audit.ok) throw new Error(`the books are wrong: ${audit.findings.flatMap((finding) => finding.examples).join("; ")}`);
  } finally {
    await database.close();
  }
}
