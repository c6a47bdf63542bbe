import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { CompressionTypes, Kafka as KafkaClient, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createLagReader } from "../../src/adapters/kafka/kafka-lag.ts";
import { createKafka, ensureTopics, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createMetrics } from "../../src/adapters/metrics/metrics.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { loadConfig } from "../../src/config.ts";
import type { RoleEvent, SupervisedRole } from "../../src/stack/processes/supervisor.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { dependencyChecks } from "../../workers/parts/dependency-checks.ts";
import { purchaseMessage } from "../support/bridge.ts";
import { createTestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { makeTestNamespace } from "../support/test-namespace.ts";
import { roleSettings, startTestRole } from "../support/test-roles.ts";
import { until } from "../support/until.ts";

/** The watchdog ends a bridge that stands still for so long: more than it needs to join its group. */
const PATIENCE_MS = 10_000;
const tag = randomUUID().slice(0, 8);
const topic = `purchases-${tag}`;
const group = `group-${tag}`;
const brokers = inject("kafkaBrokers");
const events: RoleEvent[] = [];
const client = new KafkaClient({ clientId: tag, brokers, logLevel: logLevel.NOTHING });

let folder: string;
let testDatabase: TestDatabase;
let database: Database;
let kafka: Kafka;
let bridge: SupervisedRole;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-bridge-role-"));
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "bridge-role-test", laneCount: 1, deadlineMs: 10_000 });
  kafka = createKafka({ brokers, clientId: "bridge-role-test", logger: SILENT_LOG });
  await ensureTopics(brokers, [{ topic, partitions: 3, settings: {} }]);
  const servers = {
    databaseUrl: testDatabase.appUrl,
    temporalAddress: inject("temporalAddress"),
    temporalNamespace: await makeTestNamespace(inject("temporalAddress")),
    kafkaBrokers: brokers,
  };
  const settings = {
    BRIDGE_STALL_MS: String(PATIENCE_MS),
    KAFKA_TOPIC: topic,
    KAFKA_GROUP: group,
    LOYALTY_TOPIC: `loyalty-${tag}`,
    LOYALTY_GROUP: `loyalty-${tag}`,
    ORDERS_TOPIC: `orders-${tag}`,
    ORDERS_GROUP: `orders-${tag}`,
    SAGA_COMMANDS: "ignore",
  };
  bridge = startTestRole({
    role: "bridge",
    name: "bridge",
    environment: roleSettings(servers, { dataDir: folder, settings }),
    dataDir: folder,
    onEvent: (event) => events.push(event),
  });
  await bridge.ready;
});

afterAll(async () => {
  await bridge.stop();
  await kafka.close();
  await database.close();
  await testDatabase.drop();
  rmSync(folder, { recursive: true, force: true });
});

const purchase = (eventId: string, partition: number) => ({ ...purchaseMessage({ event_id: eventId, user_id: "ann" }), partition });

async function applied(): Promise<number> {
  const [row] = await database.db.execute<{ count: string }>(
    sql`select count(*)::text as count from operations where topic is not null and outcome = 'done'`,
  );
  return Number(row?.count);
}

it("the bridge goes on with all other partitions beside one that cannot be read and one with an open transaction, and is never ended", async () => {
  const plain = client.producer({ allowAutoTopicCreation: false });
  await plain.connect();
  await plain.send({ topic, messages: [purchase("good-0", 0)] });
  // It unpacks to more than a batch may.
  await plain.send({ topic, compression: CompressionTypes.GZIP, messages: [{ value: Buffer.alloc(70_000_000), partition: 0 }] });
  const transactional = client.producer({ transactionalId: tag, maxInFlightRequests: 1, idempotent: true, allowAutoTopicCreation: false });
  await transactional.connect();
  const transaction = await transactional.transaction();
  await transaction.send({ topic, messages: [purchase("open-1", 1)] });
  await plain.send({ topic, messages: [purchase("behind-1", 1), purchase("good-2", 2)] });
  await until("what can be read is applied", async () => (await applied()) === 2);

  const config = loadConfig({ DATABASE_URL: testDatabase.appUrl, KAFKA_BROKERS: brokers.join(",") }, "/nonexistent");
  const readLag = createLagReader(kafka, [{ topic, group }], { deadlineMs: 10_000 });
  const redis = openRedis({ url: undefined, logger: SILENT_LOG });
  const checks = dependencyChecks({ config, db: database.db, redis, temporal: () => undefined, kafka, readLag });
  const api = createTestApi({ databaseUrl: testDatabase.appUrl, checks: checks.filter(({ name }) => name === "kafka") });
  const shown = async () => JSON.stringify((await api.call("GET", "/readyz")).body["parts"]);
  await until("readiness names the partition", async () => (await shown()).includes(`cannot be read ${topic}/0`));
  expect(await shown()).toMatch(new RegExp(`"cannot be read ${topic}/0":"offset 1: [^"]+"`));
  expect(await shown()).toContain(`"behind an open transaction ${topic}/1":"2"`);
  const metrics = createMetrics();
  metrics.watch({ parts: {}, lag: readLag });
  const page = (await metrics.render()).split("\n").filter((line) => line.includes("kafka_partition_unreadable{"));
  expect(page.filter((line) => line.endsWith(" 1"))).toEqual([expect.stringContaining('partition="0"') as string]);
  await api.close();

  await sleep(2.5 * PATIENCE_MS);
  await plain.send({ topic, messages: [purchase("good-2b", 2)] });
  await until("the others go on", async () => (await applied()) === 3);
  await transaction.commit();
  await until("what stood behind the transaction is applied", async () => (await applied()) === 5);
  await Promise.all([plain.disconnect(), transactional.disconnect()]);

  expect(events.map(({ state }) => state)).toEqual(["starting", "ready"]);
  const words = readFileSync(join(folder, "logs", "bridge.log"), "utf8")
    .split("\n")
    .filter((line) => line.includes('"kafka.unreadable"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(words[0]).toMatchObject({ topic, partition: 0, offset: "1", msg: expect.any(String) as string });
  // One sentence for each try, and a try every ten seconds at most.
  expect(words.length).toBeLessThan(10);
}, 180_000);
