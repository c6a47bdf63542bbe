import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createKafka, ensureTopics, type Kafka, type KafkaProducer } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { incomingPlan } from "../../src/contract/topics.ts";
import { startStack, type Stack } from "../../src/stack/stack.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { purchaseMessage, eventMessage } from "../support/bridge.ts";
import { startImportRoles, type ImportRoles } from "../support/import-roles.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { ROLE_GRACE_MS } from "../support/test-roles.ts";
import { until } from "../support/until.ts";

const PURCHASES = "purchases";
const POINTS = "loyalty.transactions";
const PER_ROUND = 20;
const PAUSE_MS = 100;
const BACK_WITHIN_MS = 60_000;
const TEMPORAL_AWAY_MS = 8_000;

let folder: string;
let stack: Stack;
let testDatabase: TestDatabase;
let database: Database;
let kafka: Kafka;
let producer: KafkaProducer;
let roles: ImportRoles;
let produced = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-bridge-outages-"));
  testDatabase = await createTestDatabase();
  // A broker and a Temporal of its own, as both are hurt here.
  stack = await startStack({
    servers: ["kafka", "temporal"],
    required: ["kafka", "temporal"],
    dataDir: join(folder, "servers"),
    cacheDir: inject("cacheDir"),
    ephemeral: true,
    ports: "free",
    onKillable: (kill) => void process.once("exit", kill),
  });
  const { kafka: broker, temporal } = stack;
  if (broker === undefined || temporal === undefined) throw new Error("a server is missing");
  database = createDatabase({ url: testDatabase.appUrl, name: "outages-test", laneCount: 1, deadlineMs: 20_000 });
  kafka = createKafka({ brokers: broker.brokers, clientId: "outages-test", logger: SILENT_LOG });
  producer = kafka.createProducer();
  await ensureTopics(broker.brokers, [PURCHASES, POINTS].map(incomingPlan));
  roles = await startImportRoles(
    { databaseUrl: testDatabase.appUrl, temporalAddress: temporal.address, temporalNamespace: "default", kafkaBrokers: broker.brokers },
    { dataDir: join(folder, "roles"), settings: { KAFKA_SESSION_TIMEOUT_MS: "3000", TEMPORAL_DEADLINE_MS: "2000", OUTBOX_POLL_MS: "200" } },
  );
});

afterAll(async () => {
  await roles.stop();
  await producer.close().catch(() => {});
  await kafka.close();
  await database.close();
  await stack.stop();
  await testDatabase.drop();
  rmSync(folder, { recursive: true, force: true });
});

function pidOf(server: "kafka" | "temporal"): number {
  return (JSON.parse(readFileSync(join(stack.dataDir, "pids", `${server}.json`), "utf8")) as { pid: number }).pid;
}

/** A steady load, until the signal. What the broker did not acknowledge is sent again: at least once, under its own id. */
async function load(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const round = Array.from({ length: PER_ROUND }, (_, n) => produced + n);
    const purchases = round.map((n) => purchaseMessage({ event_id: `p-${n}`, user_id: `user-${n % 50}`, amount: "1.00" }));
    const points = round.map((n) => {
      const userId = `user-${n % 50}`;
      return eventMessage(userId, {
        transaction_id: `t-${n}`,
        user_id: userId,
        type: "accrual",
        amount: 1,
        occurred_at: "2024-03-01T12:00:00Z",
      });
    });
    for (const [topic, messages] of [
      [PURCHASES, purchases],
      [POINTS, points],
    ] as const) {
      for (;;) {
        try {
          await producer.send(topic, messages);
          break;
        } catch {
          await sleep(200);
        }
      }
    }
    produced += PER_ROUND;
    await sleep(PAUSE_MS);
  }
}

async function count(query: string): Promise<number> {
  const [row] = await database.db.execute<{ count: string }>(sql.raw(query));
  return Number(row?.count);
}

const applied = () => count("select count(*) from operations where topic is not null and outcome = 'done'");

it("a broker that is killed under load and a Temporal that hangs lose nothing, double nothing and make no dead letter", async () => {
  const over = new AbortController();
  const loading = load(over.signal);
  await until("events are applied", async () => (await applied()) > 100);

  process.kill(pidOf("kafka"), "SIGKILL");
  const killedAtMs = performance.now();
  const atKill = await applied();
  await sleep(1_000);
  await until("events are applied again", async () => (await applied()) > atKill + 2 * PER_ROUND * 10, BACK_WITHIN_MS);
  console.log(`the consumer was back ${Math.round(performance.now() - killedAtMs)} ms after the broker's death`);

  const temporal = pidOf("temporal");
  process.kill(temporal, "SIGSTOP");
  await sleep(TEMPORAL_AWAY_MS);
  process.kill(temporal, "SIGCONT");
  const atReturn = await applied();
  await until("events are applied again", async () => (await applied()) > atReturn, BACK_WITHIN_MS);
  over.abort();
  await loading;

  await until("all are applied", async () => (await applied()) === 2 * produced, 60_000);
  await until("the outbox is drained", async () => (await count("select count(*) from outbox where published_at is null")) === 0, 60_000);
  expect(await count("select count(*) from dead_letters")).toBe(0);
  expect(await count("select coalesce(sum(amount_minor), 0) as count from operations where kind = 'charge'")).toBe(100 * produced);
  expect(await count("select coalesce(sum(balance_minor), 0) as count from accounts where kind = 'available' and currency = 'PTS'")).toBe(
    produced,
  );
}, 240_000);

it("a bridge that is ordered to stop while the broker hangs ends by itself, before its supervisor would kill it", async () => {
  const over = new AbortController();
  const loading = load(over.signal);
  const before = await applied();
  await until("events are applied", async () => (await applied()) > before + 100);
  // Fetches, heartbeats and commits are under way and stay unanswered.
  process.kill(pidOf("kafka"), "SIGSTOP");
  const orderedAtMs = performance.now();
  await roles.roles.bridge.stop();
  const tookMs = Math.round(performance.now() - orderedAtMs);
  process.kill(pidOf("kafka"), "SIGCONT");
  over.abort();
  await loading;
  console.log(`the bridge ended ${tookMs} ms after the order`);
  expect(tookMs).toBeLessThan(ROLE_GRACE_MS - 1_000);
}, 90_000);
