import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { createKafka, ensureTopics, type Kafka, type OutgoingMessage } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { seededRandom } from "../../src/cli/kit/seeded-random.ts";
import type { SupervisedRole } from "../../src/stack/processes/supervisor.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createDatabase, type Db } from "../../src/store/postgres/database.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import { createBridgeGroup, leftInTime, type BridgeCounts, type BridgeGroup } from "./bridge-group.ts";
import type { RoleServers } from "./test-roles.ts";

export interface TortureInput {
  readonly servers: RoleServers;
  /** The folder of the bridges' logs and pids. */
  readonly dataDir: string;
  readonly cacheDir: string;
  /** How many bridges run at all times, besides a guest that comes and goes. */
  readonly bridges: number;
  /** The folder of another release, of which every second bridge is run. */
  readonly otherDir?: string | undefined;
  readonly events: number;
  /** The time over which the events are produced. The run then waits for the rest. */
  readonly seconds: number;
  readonly seed: number;
  /** The least and the greatest time between two faults. */
  readonly pauseMs: { readonly min: number; readonly max: number };
  readonly timeoutMs: number;
  readonly log: (line: string) => void;
}

export interface TortureResult extends Omit<BridgeCounts, "deaths"> {
  readonly seed: number;
  readonly topic: string;
  readonly events: number;
  /** How many messages were produced: each event one to three times. */
  readonly messages: number;
  /** How many guest bridges joined and left in an orderly way. */
  readonly guests: number;
  /** Bridges that gave up by themselves. */
  readonly deaths: number;
  readonly elapsedSeconds: number;
  /** In words what is wrong; empty when every event took effect exactly once. */
  readonly problems: readonly string[];
}

const PARTITIONS = 8;
const USERS = 997;
const SEND_SIZE = 500;
/** Short, but longer than the two seconds for which a starting bridge takes both cores: the other bridges must not lose their sessions then. */
const SESSION_TIMEOUT_MS = 3_000;
const BATCH_SIZE = 200;

/**
 * Produces purchases, each one to three times, while bridges of one group (the real role with its worker) are killed (SIGKILL) and a guest
 * bridge joins and leaves; then compares the ledger with the produced events and proves the books. The seed decides everything but the
 * machine's timing.
 */
export async function tortureBridge(input: TortureInput): Promise<TortureResult> {
  const topic = `torture-${randomUUID().slice(0, 8)}`;
  const group = `torture-${randomUUID().slice(0, 8)}`;
  const random = seededRandom(input.seed);
  const { kafkaBrokers: brokers, databaseUrl } = input.servers;
  const kafka = createKafka({ brokers, clientId: "torture", logger: SILENT_LOG });
  const database = createDatabase({ url: databaseUrl, name: "torture-check", laneCount: 1, deadlineMs: 120_000 });
  await ensureTopics(brokers, [{ topic, partitions: PARTITIONS, settings: { "compression.type": "uncompressed" } }]);
  mkdirSync(input.dataDir, { recursive: true });
  const settings = {
    CACHE_DIR: input.cacheDir,
    WORKFLOW_BUNDLE_PATH: await buildWorkflowBundle(input.cacheDir),
    KAFKA_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
    EVENT_BATCH_SIZE: String(BATCH_SIZE),
    LOG_LEVEL: "info",
  };
  const bridges = createBridgeGroup({ ...input, topic, group, settings });
  const startedAtMs = performance.now();
  const over = new AbortController();
  try {
    const first = Array.from({ length: input.bridges }, () => bridges.add());
    await Promise.all(first.map(({ ready }) => ready));
    const faults = makeFaults({ ...input, bridges, random: seededRandom(input.seed + 1), signal: over.signal });
    const plan = planMessages(input.events, random);
    await produce(kafka, topic, plan.messages, input.seconds * 1_000);
    input.log(`${plan.messages.length} messages of ${input.events} events are produced`);
    // The faults go on until the last message is consumed.
    const left = await untilDone({ kafka, group, topic, timeoutMs: input.timeoutMs, log: input.log });
    const elapsedSeconds = Math.round((performance.now() - startedAtMs) / 100) / 10;
    over.abort();
    const { guests } = await faults;
    await bridges.stop();
    const counts = bridges.counts();
    const problems = left === 0n ? [] : [`${left} messages are not done after ${input.timeoutMs} ms`];
    if (!leftInTime(counts)) problems.push(`a bridge that was ordered to stop took ${counts.slowestLeaveMs} ms`);
    problems.push(...(await findProblems(database.db, { topic, events: input.events, sumMinor: plan.sumMinor })));
    const { length: messages } = plan.messages;
    return {
      ...counts,
      seed: input.seed,
      topic,
      events: input.events,
      messages,
      guests,
      deaths: counts.deaths.length,
      elapsedSeconds,
      problems,
    };
  } finally {
    over.abort();
    await bridges.stop();
    await Promise.allSettled([kafka.close(), database.close()]);
  }
}

interface FaultInput {
  readonly bridges: BridgeGroup;
  readonly pauseMs: { readonly min: number; readonly max: number };
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Two of three faults are a kill; the third is a guest bridge that joins or leaves, which moves the partitions. */
async function makeFaults({ bridges, pauseMs, random, signal }: FaultInput): Promise<{ guests: number }> {
  let guests = 0;
  let guest: SupervisedRole | undefined;
  while (!signal.aborted) {
    await sleep(pauseMs.min + random() * (pauseMs.max - pauseMs.min), undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    if (random() < 2 / 3) bridges.killOne(random);
    else if (guest === undefined) guest = bridges.add();
    else {
      await bridges.leave(guest);
      guest = undefined;
      guests += 1;
    }
  }
  return { guests };
}

function planMessages(events: number, random: () => number): { messages: OutgoingMessage[]; sumMinor: bigint } {
  const placed: { at: number; message: OutgoingMessage }[] = [];
  let sumMinor = 0n;
  for (let place = 0; place < events; place += 1) {
    const amountMinor = 1 + Math.floor(random() * 9_999);
    sumMinor += BigInt(amountMinor);
    const user = `user-${place % USERS}`;
    const message = {
      key: user,
      value: JSON.stringify({
        event_id: `e-${place}`,
        user_id: user,
        amount: (amountMinor / 100).toFixed(2),
        currency: "USD",
        payment_method: "card",
        transaction_date: "2024-03-01T12:00:00Z",
      }),
    };
    const times = 1 + Math.floor(random() * 3);
    // A repeat comes at once or thousands of messages later: in the same batch, after a rebalance, after a restart.
    for (let time = 0; time < times; time += 1) placed.push({ at: place + (time === 0 ? 0 : random() ** 3 * events), message });
  }
  return { messages: placed.toSorted((one, other) => one.at - other.at).map(({ message }) => message), sumMinor };
}

async function produce(kafka: Kafka, topic: string, messages: readonly OutgoingMessage[], durationMs: number): Promise<void> {
  const producer = kafka.createProducer();
  const startedAtMs = performance.now();
  for (let from = 0; from < messages.length; from += SEND_SIZE) {
    await producer.send(topic, messages.slice(from, from + SEND_SIZE));
    const dueMs = (durationMs * (from + SEND_SIZE)) / messages.length;
    const earlyMs = dueMs - (performance.now() - startedAtMs);
    if (earlyMs > 0) await sleep(earlyMs);
  }
  await producer.close();
}

/** How many messages are not consumed when the time is over; 0 when all are. */
async function untilDone(input: {
  kafka: Kafka;
  group: string;
  topic: string;
  timeoutMs: number;
  log: (line: string) => void;
}): Promise<bigint> {
  const { kafka, group, topic } = input;
  for (const deadlineMs = performance.now() + input.timeoutMs; ; await sleep(500)) {
    const [offsets, committed] = await Promise.all([kafka.topicOffsets(topic), kafka.committedOffsets(group, topic)]);
    const left = offsets.reduce((sum, { partition, high }) => sum + high - (committed.get(partition) ?? 0n), 0n);
    if (left === 0n || performance.now() > deadlineMs) return left;
    input.log(`${left} messages are left`);
  }
}

async function findProblems(db: Db, wanted: { topic: string; events: number; sumMinor: bigint }): Promise<string[]> {
  const [row] = await db.execute<Record<string, string>>(sql`
    select count(*)::text as operations, count(distinct key)::text as keys, coalesce(sum(amount_minor), 0)::text as total,
           count(*) filter (where outcome <> 'done')::text as refused,
           (select count(*)::text from postings p join operations o on o.id = p.operation_id where o.topic = ${wanted.topic}) as postings,
           (select coalesce(sum(p.revenue_minor), 0)::text from postings p join operations o on o.id = p.operation_id where o.topic = ${wanted.topic}) as revenue,
           (select count(*)::text from dead_letters where topic = ${wanted.topic}) as letters
      from operations where topic = ${wanted.topic}`);
  const expected: Record<string, string> = {
    operations: String(wanted.events),
    keys: String(wanted.events),
    postings: String(wanted.events),
    total: String(wanted.sumMinor),
    revenue: String(wanted.sumMinor),
    refused: "0",
    letters: "0",
  };
  const { findings } = await auditBooks(db);
  return [
    ...Object.entries(expected).flatMap(([name, value]) => (row?.[name] === value ? [] : [`${name}: ${row?.[name]} instead of ${value}`])),
    ...findings.flatMap(({ broken, invariant, examples }) => (broken === 0n ? [] : [`${invariant}: ${examples.join("; ")}`])),
  ];
}
