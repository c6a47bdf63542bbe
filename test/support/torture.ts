import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { createKafka, ensureTopics, type Kafka, type OutgoingMessage } from "../../src/adapters/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { seededRandom } from "../../src/cli/seeded-random.ts";
import { createDatabase, type Db } from "../../src/store/database.ts";
import type { BridgeProcessInput } from "./bridge-process.ts";

export interface TortureInput {
  readonly brokers: readonly string[];
  readonly databaseUrl: string;
  readonly events: number;
  /** How long the events are spread over. What is left then is waited for. */
  readonly seconds: number;
  readonly seed: number;
  /** The time between two faults lies between these. */
  readonly pauseMs: { readonly min: number; readonly max: number };
  readonly timeoutMs: number;
  readonly log: (line: string) => void;
}

export interface TortureResult {
  readonly seed: number;
  readonly topic: string;
  readonly events: number;
  /** Messages, each event being produced one to three times. */
  readonly messages: number;
  readonly kills: number;
  /** Members that came and went in an orderly way. */
  readonly guests: number;
  /** Members that gave up by themselves. */
  readonly deaths: number;
  readonly elapsedSeconds: number;
  /** In words what is wrong; empty when every event took effect exactly once. */
  readonly problems: readonly string[];
}

const PARTITIONS = 8;
const MEMBERS = 3;
const USERS = 997;
const SEND_SIZE = 500;
const SESSION_TIMEOUT_MS = 1_500;
const BATCH_SIZE = 200;
const ENTRY = fileURLToPath(new URL("bridge-process.ts", import.meta.url));

/**
 * Produces purchases, each one to three times, while bridges of one group are killed (SIGKILL) and others join and leave, and
 * compares the ledger with what was produced. The seed decides everything but the machine's own timing.
 */
export async function tortureBridge(input: TortureInput): Promise<TortureResult> {
  const topic = `torture-${randomUUID().slice(0, 8)}`;
  const group = `torture-${randomUUID().slice(0, 8)}`;
  const random = seededRandom(input.seed);
  const kafka = createKafka({ brokers: input.brokers, clientId: "torture", logger: SILENT_LOG });
  const database = createDatabase({ url: input.databaseUrl, name: "torture-check", laneCount: 1, deadlineMs: 60_000 });
  await ensureTopics(input.brokers, [{ topic, partitions: PARTITIONS, settings: { "compression.type": "uncompressed" } }]);
  const members = createMembers({ ...input, topic, group, sessionTimeoutMs: SESSION_TIMEOUT_MS, batchSize: BATCH_SIZE });
  const startedAtMs = performance.now();
  const over = new AbortController();
  try {
    for (let place = 0; place < MEMBERS; place += 1) members.add();
    const faults = makeFaults({ ...input, members, random: seededRandom(input.seed + 1), signal: over.signal });
    const plan = planMessages(input.events, random);
    await produce(kafka, topic, plan.messages, input.seconds * 1_000);
    input.log(`${plan.messages.length} messages of ${input.events} events are produced`);
    // The faults go on until the last message is done.
    const left = await untilDone({ kafka, group, topic, timeoutMs: input.timeoutMs, log: input.log });
    over.abort();
    const { guests } = await faults;
    const problems = left === 0n ? [] : [`${left} messages are not done after ${input.timeoutMs} ms`];
    problems.push(...(await findProblems(database.db, { topic, events: input.events, sumMinor: plan.sumMinor })));
    const { kills, deaths } = members.counts();
    return {
      seed: input.seed,
      topic,
      events: input.events,
      messages: plan.messages.length,
      kills,
      guests,
      deaths,
      elapsedSeconds: Math.round((performance.now() - startedAtMs) / 100) / 10,
      problems,
    };
  } finally {
    over.abort();
    await members.stop();
    await Promise.allSettled([kafka.close(), database.close()]);
  }
}

interface Members {
  add(): ChildProcess;
  /** Kills one of them at once and starts another in its place. */
  killOne(random: () => number): void;
  leave(child: ChildProcess): Promise<void>;
  counts(): { kills: number; deaths: number };
  stop(): Promise<void>;
}

function createMembers(input: BridgeProcessInput): Members {
  const running = new Set<ChildProcess>();
  const wanted = new Set<ChildProcess>();
  let kills = 0;
  let deaths = 0;
  let stopping = false;
  const { brokers, databaseUrl, topic, group, sessionTimeoutMs, batchSize } = input;
  const argument = JSON.stringify({ brokers, databaseUrl, topic, group, sessionTimeoutMs, batchSize });
  const add = (): ChildProcess => {
    const child = fork(ENTRY, [argument], { execArgv: ["--import", "tsx"], stdio: ["ignore", "ignore", "inherit", "ipc"] });
    running.add(child);
    wanted.add(child);
    child.once("exit", () => {
      running.delete(child);
      if (!wanted.delete(child) || stopping) return;
      deaths += 1;
      add();
    });
    return child;
  };
  return {
    add,
    killOne(random) {
      const list = [...wanted];
      const victim = list[Math.floor(random() * list.length)];
      if (victim === undefined) return;
      wanted.delete(victim);
      victim.kill("SIGKILL");
      kills += 1;
      add();
    },
    async leave(child) {
      if (!wanted.delete(child) || child.exitCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    },
    counts: () => ({ kills, deaths }),
    async stop() {
      stopping = true;
      wanted.clear();
      for (const child of running) child.kill("SIGKILL");
      while (running.size > 0) await sleep(20);
    },
  };
}

interface FaultInput {
  readonly members: Members;
  readonly pauseMs: { readonly min: number; readonly max: number };
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Two of three faults are a kill; the third is a member that comes and goes, which makes the partitions move twice. */
async function makeFaults({ members, pauseMs, random, signal }: FaultInput): Promise<{ guests: number }> {
  let guests = 0;
  let guest: ChildProcess | undefined;
  while (!signal.aborted) {
    await sleep(pauseMs.min + random() * (pauseMs.max - pauseMs.min), undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    if (random() < 2 / 3) members.killOne(random);
    else if (guest === undefined) guest = members.add();
    else {
      await members.leave(guest);
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

/** How many messages are not done when the time is over; 0 when all are. */
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
  return Object.entries(expected).flatMap(([name, value]) =>
    row?.[name] === value ? [] : [`${name}: ${row?.[name]} instead of ${value}`],
  );
}
