import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { dumpKafka } from "../../src/adapters/kafka/kafka-dump.ts";
import { createKafka, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { parseAmount } from "../../src/base/money.ts";
import { loadEvent, type LoadOptions } from "../../src/cli/produce/event-load.ts";
import { sendSteadily } from "../../src/cli/produce/steady-load.ts";
import { ROLE_ENTRIES } from "../../src/cli/start/role-entries.ts";
import { createStartSteps } from "../../src/cli/start/start-steps.ts";
import { startSystem } from "../../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig, type Config } from "../../src/config.ts";
import { eventKey } from "../../src/contract/ids.ts";
import { NOTIFICATIONS_TOPIC } from "../../src/contract/topics.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createDatabase, type Db } from "../../src/store/postgres/database.ts";
import { startMortalServer, type MortalServer } from "./mortal-server.ts";
import { watchRecovery, type Recovery } from "./recovery-watch.ts";
import { until } from "./until.ts";

export interface ServerDeathOptions {
  readonly kill: "kafka" | "temporal";
  /** How long the server stays away; with 0 its keeper starts it again at once, as `npm start` would. */
  readonly downMs: number;
  /** Purchases a second, and for how many seconds. */
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  readonly cacheDir: string;
  /** How long the drain after the load may take. */
  readonly timeoutMs: number;
  /** True to keep the logs also of a run in which nothing went wrong. */
  readonly keepLogs: boolean;
  readonly onNote: (text: string) => void;
  readonly onKillable: (kill: () => void) => void;
}

export interface ServerDeathReport extends Recovery {
  readonly events: number;
  /** How many messages are on the topic: those that the dying broker did not acknowledge were sent again. */
  readonly messages: number;
  /** How many messages are on `notifications`; a message may be there twice, under one id. */
  readonly notifications: number;
  /** The events of roles other than `ready`: a role that died, with the error in its log. */
  readonly roleEvents: readonly string[];
  /** In words what is lost, doubled, dead-lettered or stuck; empty when nothing is. */
  readonly problems: readonly string[];
  /** The folder of the logs, when they are kept. */
  readonly logDir: string;
}

const PORTS = ["HTTP", "PURCHASES", "POSTGRES", "TEMPORAL", "TEMPORAL_UI", "KAFKA", "REDIS", "PSP"] as const;
/** The share of the load that is over at the kill, so that every process is warm. */
const KILL_AFTER = 0.25;
const RESEND_MS = 200;
const ALL_MESSAGES = 1_000_000_000;

/**
 * Runs the whole system under a steady load of purchases and kills one server in the midst of it. After the load is drained it compares the
 * ledger and the notifications with the produced events and proves the books. Messages that Kafka did not acknowledge are
 * sent again, as a producer does. Throws: StackError, and Error when the server does not come back.
 */
export async function runServerDeath(options: ServerDeathOptions): Promise<ServerDeathReport> {
  const folder = mkdtempSync(join(tmpdir(), "saldo-server-death-"));
  const server = await startMortalServer({ ...options, server: options.kill, dataDir: join(folder, options.kill) });
  let isClean = false;
  try {
    const report = await withSystem(options, server, folder);
    isClean = report.problems.length === 0 && !options.keepLogs;
    return report;
  } finally {
    await server.stop();
    // The logs of a run that went wrong are kept.
    if (isClean) rmSync(folder, { recursive: true, force: true });
  }
}

async function withSystem(options: ServerDeathOptions, server: MortalServer, folder: string): Promise<ServerDeathReport> {
  const settings = {
    ...Object.fromEntries(PORTS.map((name) => [`${name}_PORT`, "0"])),
    ...server.environment,
    DATA_DIR: join(folder, "data"),
    CACHE_DIR: options.cacheDir,
  };
  const config = loadConfig(settings, folder);
  const roleEvents: string[] = [];
  const system = await startSystem({
    config,
    environment: { ...inheritedEnvironment(), ...settings },
    ephemeral: false,
    entries: ROLE_ENTRIES,
    steps: createStartSteps(config),
    onRoleEvent: ({ role, state, detail }) => void (state === "ready" || roleEvents.push(`${role} ${state} ${detail}`)),
    onKillable: options.onKillable,
  });
  const { databaseUrl, kafkaBrokers: brokers = [], logDir } = system.running;
  const kafka = createKafka({ brokers, clientId: "server-death", logger: SILENT_LOG });
  const database = createDatabase({ url: databaseUrl, name: "server-death", laneCount: 2, deadlineMs: 120_000 });
  try {
    const outcome = await underLoad({ options, server, config, brokers, kafka, db: database.db });
    return { ...outcome, roleEvents: [...roleEvents], logDir };
  } finally {
    await Promise.allSettled([kafka.close(), database.close()]);
    await system.stop();
  }
}

interface Stage {
  readonly options: ServerDeathOptions;
  readonly server: MortalServer;
  readonly config: Config;
  readonly brokers: readonly string[];
  readonly kafka: Kafka;
  readonly db: Db;
}

async function underLoad(stage: Stage): Promise<Omit<ServerDeathReport, "roleEvents" | "logDir">> {
  const { options, server, config, kafka, db } = stage;
  const { KAFKA_TOPIC: topic, KAFKA_GROUP: group } = config;
  const load: LoadOptions = {
    kind: "purchase",
    users: 1_000,
    seed: options.seed,
    currency: config.DEFAULT_CURRENCY,
    services: [],
    occurredAt: "2026-01-01T00:00:00.000Z",
  };
  const events = Math.round(options.rate * options.seconds);
  const watch = watchRecovery({ kafka, db, topic, group, rate: options.rate });
  try {
    const loading = produce(kafka, topic, load, { rate: options.rate, total: events });
    await sleep(options.seconds * 1_000 * KILL_AFTER);
    options.onNote(`${options.kill} is killed`);
    watch.serverIsKilled();
    await server.killFor(options.downMs);
    watch.serverIsBack();
    options.onNote(`${options.kill} runs again`);
    await loading;
    watch.loadIsOver();
    options.onNote(`${events} events are produced, the last ones are waited for`);
    const isDrained = () => {
      const backlog = watch.backlog();
      return backlog?.lag === 0 && backlog.outbox === 0 && watch.report().outboxEmpty !== null;
    };
    const stuck = await until("all is drained", isDrained, options.timeoutMs).then(
      () => [],
      () => [`${JSON.stringify(watch.backlog())} is left after ${options.timeoutMs} ms`],
    );
    await watch.stop();
    const told = await readNotifications(stage.brokers);
    const messages = (await kafka.topicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
    const problems = [...stuck, ...(await findProblems(db, { topic, load, events, told: told.operationIds }))];
    return { ...watch.report(), events, messages, notifications: told.messages, problems };
  } finally {
    await watch.stop();
  }
}

async function produce(kafka: Kafka, topic: string, load: LoadOptions, plan: { rate: number; total: number }): Promise<void> {
  const producer = kafka.createProducer();
  const send = async (from: number, count: number) => {
    const messages = Array.from({ length: count }, (_, place) => loadEvent(load, from + place));
    for (;;) {
      try {
        return void (await producer.send(topic, messages));
      } catch {
        await sleep(RESEND_MS);
      }
    }
  };
  try {
    await sendSteadily({ ...plan, send });
  } finally {
    await producer.close().catch(() => {});
  }
}

async function readNotifications(brokers: readonly string[]): Promise<{ messages: number; operationIds: Set<string> }> {
  const operationIds = new Set<string>();
  let messages = 0;
  await dumpKafka({ brokers, maxMessages: ALL_MESSAGES }, ({ topic, parts }) => {
    if (topic !== NOTIFICATIONS_TOPIC) return;
    messages += 1;
    const { data } = JSON.parse(parts["value"]?.toString() ?? "{}") as { data?: { operation_id?: string } };
    if (data?.operation_id !== undefined) operationIds.add(data.operation_id);
  });
  return { messages, operationIds };
}

interface Wanted {
  readonly topic: string;
  readonly load: LoadOptions;
  readonly events: number;
  /** The operations that have a message on `notifications`. */
  readonly told: ReadonlySet<string>;
}

async function findProblems(db: Db, { topic, load, events, told }: Wanted): Promise<string[]> {
  const wanted = new Map<string, bigint>();
  for (let number = 0; number < events; number += 1) {
    const { event_id: id, amount } = JSON.parse(String(loadEvent(load, number).value)) as { event_id: string; amount: string };
    wanted.set(eventKey({ topic, partition: 0, offset: "0" }, id), parseAmount(amount, load.currency));
  }
  const rows = await db.execute<{ id: string; key: string; outcome: string; posted: string }>(sql`
    select o.id::text as id, o.key, o.outcome, (select coalesce(sum(p.amount_minor), 0)::text from postings p where p.operation_id = o.id) as posted
      from operations o where o.topic = ${topic}`);
  const keys = new Set(rows.map(({ key }) => key));
  const lost = [...wanted.keys()].filter((key) => !keys.has(key));
  const wrong = rows.filter(({ key, outcome, posted }) => outcome !== "done" || wanted.get(key) !== BigInt(posted));
  const untold = rows.filter(({ id }) => !told.has(id));
  const [letters] = await db.execute<{ count: string }>(sql`select count(*)::text as count from dead_letters`);
  const { findings } = await auditBooks(db);
  return [
    ...(lost.length === 0 ? [] : [`${lost.length} events are lost, such as ${lost[0]}`]),
    ...(rows.length === keys.size ? [] : [`${rows.length - keys.size} events took effect twice`]),
    ...(wrong.length === 0 ? [] : [`${wrong.length} operations are not what was produced, such as ${wrong[0]?.key}`]),
    ...(untold.length === 0 ? [] : [`${untold.length} operations have no notification, such as ${untold[0]?.id}`]),
    ...(letters?.count === "0" ? [] : [`${letters?.count} dead letters`]),
    ...findings.flatMap(({ broken, invariant, examples }) => (broken === 0n ? [] : [`${invariant}: ${examples.join("; ")}`])),
  ];
}
