import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createKafka, ensureTopics, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { loadEvent } from "../../src/cli/produce/event-load.ts";
import { incomingPlan } from "../../src/contract/topics.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import type { ReaderCommands } from "../children/bridge.ts";
import type { EventBaselineCommands } from "../children/event-baselines.ts";
import { countPlainEvents, createPlainTable } from "../children/plain-consumer.ts";
import { measureRounds, type Sample } from "../measure/rounds.ts";
import type { Plan } from "../plan.ts";
import { ratioRow, type Row } from "../report/row.ts";
import type { Child } from "../system/child.ts";
import { asAdmin, auditDatabase } from "../system/database.ts";
import type { MeasuredSystem } from "../system/measured-system.ts";
import { settleOutbox } from "./settle.ts";

const USERS = 1_000;
const SEND_SIZE = 1_000;
/** A round is one backlog, with this many events for each second that the plan gives a round. */
const EVENTS_PER_SECOND = 3_000;
const WARM_UP_EVENTS = 2_000;
const POLL_MS = 20;
const PATIENCE_MS = 120_000;
const CALL_DEADLINE_MS = 60_000;

/** The bridge that is measured and its baselines, each in a process of its own. */
export interface EventChildren {
  readonly bridge: Child<ReaderCommands>;
  readonly baselines: Child<EventBaselineCommands>;
}

/**
 * How fast the bridge takes backlogs of purchases, against the ledger alone and against a bare consumer, all once in each round.
 * Throws: Error when an event is missing or doubled, or the books are wrong.
 */
export async function measureEvents(system: MeasuredSystem, { bridge, baselines }: EventChildren, plan: Plan): Promise<Row[]> {
  const kafka = createKafka({ brokers: system.brokers, clientId: "bench-events", logger: SILENT_LOG });
  const events = Math.round((plan.durationMs / 1_000) * EVENTS_PER_SECOND);
  const topics: string[] = [];
  const database = createDatabase({ url: system.databaseUrl, name: "bench-events", laneCount: 1, deadlineMs: CALL_DEADLINE_MS });
  const settled = async (sample: Promise<Sample>) => {
    const result = await sample;
    await settleOutbox(database.db);
    return result;
  };
  let booked = 0;
  await createPlainTable(system);
  const ours = async (count = events) => {
    const { topic } = await backlog(system, kafka, count, topics.length);
    topics.push(topic);
    booked += count;
    return settled(drained(kafka, topic, count, bridge));
  };
  const bare = async (count = events) => {
    const { topic } = await backlog(system, kafka, count, 0);
    const sample = await drained(kafka, topic, count, baselines);
    const found = await countPlainEvents(system, topic);
    if (found !== count) throw new Error(`the bare consumer wrote ${found} of ${count} events`);
    return sample;
  };
  const alone = (count = events) => {
    const topic = `alone-${randomUUID().slice(0, 8)}`;
    return settled(baselines.call("ledgerAlone", { topic, texts: texts(count, topics.length) }, CALL_DEADLINE_MS));
  };
  try {
    for (const side of [ours, bare, alone]) await side(WARM_UP_EVENTS);
    plan.say(`events: ${plan.rounds} rounds of ${events} on three sides`);
    const measured = await measureRounds(plan.rounds, { ours: () => ours(), alone: () => alone(), bare: () => bare() }, plan.meter);
    await checkEvents(system, topics, booked);
    return [ratioRow("events-ledger", measured.ours, measured.alone), ratioRow("events", measured.ours, measured.bare)];
  } finally {
    await kafka.close();
    await database.close();
  }
}

function load(seed: number) {
  return { kind: "purchase", users: USERS, seed, currency: "RUB", services: [], occurredAt: "2026-01-01T00:00:00.000Z" } as const;
}

function texts(count: number, seed: number): string[] {
  return Array.from({ length: count }, (_, number) => String(loadEvent(load(seed), number).value));
}

async function backlog(system: MeasuredSystem, kafka: Kafka, count: number, seed: number): Promise<{ topic: string }> {
  const topic = `bench-${randomUUID().slice(0, 8)}`;
  await ensureTopics(system.brokers, [incomingPlan(topic)]);
  const producer = kafka.createProducer();
  try {
    for (let from = 0; from < count; from += SEND_SIZE) {
      const size = Math.min(SEND_SIZE, count - from);
      await producer.send(
        topic,
        Array.from({ length: size }, (_, index) => loadEvent(load(seed), from + index)),
      );
    }
  } finally {
    await producer.close();
  }
  return { topic };
}

/** Events per second, from the moment the reader has joined its group, which takes both sides seconds, to the last committed offset. Stops the reader. */
async function drained(kafka: Kafka, topic: string, count: number, reader: Child<ReaderCommands>): Promise<Sample> {
  await reader.call("read", { topic }, CALL_DEADLINE_MS);
  try {
    let joinedAtMs: number | undefined;
    for (const endsAtMs = performance.now() + PATIENCE_MS; performance.now() < endsAtMs; await sleep(POLL_MS)) {
      const { joined, failure } = await reader.call("state", undefined, CALL_DEADLINE_MS);
      if (failure !== undefined) throw new Error(`reading ${topic}: ${failure}`);
      if (!joined) continue;
      joinedAtMs ??= performance.now();
      const committed = await kafka.committedOffsets(topic, topic);
      const done = [...committed.values()].reduce((sum, offset) => sum + Number(offset), 0);
      if (done === count) return { figure: (count * 1_000) / (performance.now() - joinedAtMs), operations: count };
    }
    throw new Error(`${topic} was not read to its end within ${PATIENCE_MS / 1_000} s`);
  } finally {
    await reader.call("stopReading", undefined, CALL_DEADLINE_MS);
  }
}

async function checkEvents(system: MeasuredSystem, topics: readonly string[], events: number): Promise<void> {
  const [row] = await asAdmin(
    system.adminUrl,
    async (sql) => sql`
      select (select count(*)::int from operations where topic in ${sql(topics)} and outcome = 'done') as found,
             (select count(*)::int from dead_letters where topic in ${sql(topics)}) as letters`,
  );
  if (row?.["found"] !== events || row["letters"] !== 0)
    throw new Error(`of ${events} events ${String(row?.["found"])} stand in the books and ${String(row?.["letters"])} are dead letters`);
  await auditDatabase(system.databaseUrl);
}
