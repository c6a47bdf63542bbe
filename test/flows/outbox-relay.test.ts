import { randomUUID } from "node:crypto";
import { Kafka, logLevel, type KafkaMessage } from "kafkajs";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createKafka, ensureTopics, type Kafka as KafkaPort, type KafkaProducer } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { NOTIFICATIONS_TOPIC } from "../../src/contract/topics.ts";
import { depositOperation, transferOperation, withdrawalOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createRelay, type Relay, type RelayDeps } from "../../src/outbox/relay.ts";
import { writeDeadLetters } from "../../src/store/events/dead-letters.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createOutboxWake } from "../../src/store/outbox/outbox-wake.ts";
import { countFailedAttempt, markPublished, readUnpublished } from "../../src/store/outbox/outbox.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { takeLease } from "../../src/store/postgres/leases.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const run = randomUUID().slice(0, 8);
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let kafka: KafkaPort;
let producer: KafkaProducer;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "relay-test", laneCount: 2, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "relay-test", laneCount: 2, deadlineMs: 10_000 });
  kafka = createKafka({ brokers: inject("kafkaBrokers"), clientId: "relay-test", logger: SILENT_LOG });
  producer = kafka.createProducer();
  await ensureTopics(inject("kafkaBrokers"), [{ topic: NOTIFICATIONS_TOPIC, partitions: 4, settings: {} }]);
});

afterAll(async () => {
  await producer.close();
  await kafka.close();
  await ledger.close();
  await database.close();
  await testDatabase.drop();
});

const origin = { caller: "test", correlationId: `corr-${run}` };
const movement = (name: string, userId: string, amountMinor: bigint) => ({
  key: `${run}-${name}`,
  userId: `${run}-${userId}`,
  currency: "RUB",
  amountMinor,
  comment: name,
  origin,
});

function newRelay(send: KafkaProducer["send"] = producer.send, change: Partial<RelayDeps> = {}): Relay {
  const lease = { name: "outbox-relay", holder: randomUUID(), ttlMs: 10_000 };
  return createRelay({
    takeLease: () => takeLease(database.db, lease),
    renewLeaseMs: 3_000,
    readUnpublished: (input) => readUnpublished(database.db, input),
    markPublished: (ids) => markPublished(database.db, ids),
    countFailedAttempt: (ids) => countFailedAttempt(database.db, ids),
    send,
    batchSize: 50,
    pollMs: 20,
    backoff: { firstMs: 20, maxMs: 100 },
    nowMs: () => performance.now(),
    log: SILENT_LOG,
    ...change,
  });
}

/** Everything that stands on a topic, in the order of each partition. */
async function readTopic(topic: string): Promise<KafkaMessage[]> {
  const wanted = (await kafka.topicOffsets(topic)).reduce((sum, { low, high }) => sum + Number(high - low), 0);
  const consumer = new Kafka({ brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING }).consumer({
    groupId: randomUUID(),
    maxWaitTimeInMs: 200,
  });
  const messages: KafkaMessage[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => void messages.push(message) });
  await until(`${wanted} messages are read`, () => messages.length >= wanted);
  await consumer.disconnect();
  return messages;
}

interface Notification {
  id: string;
  type: string;
  specversion: string;
  subject: string;
  data: Record<string, string>;
}

async function notificationsOf(userId: string): Promise<Notification[]> {
  const messages = (await readTopic(NOTIFICATIONS_TOPIC)).filter(({ key }) => key?.toString() === `${run}-${userId}`);
  return messages.map(({ value }) => JSON.parse(String(value)) as Notification);
}

const unpublished = () => readUnpublished(database.db, { limitPerTopic: 1_000, withoutTopics: [] });

describe("the outbox relay", () => {
  it("tells of every operation once, in the order it happened, and to both sides of a transfer", async () => {
    await ledger.post(depositOperation(movement("d", "ann", 10_050n)));
    await ledger.post(withdrawalOperation(movement("w", "ann", 50n)));
    await ledger.post(withdrawalOperation(movement("refused", "ann", 99_999n)));
    await ledger.post(transferOperation({ ...movement("t", "ann", 2_500n), peerUserId: `${run}-ben` }));
    const relay = newRelay();
    while ((await relay.step()) > 0);
    expect(await unpublished()).toEqual([]);

    const ann = await notificationsOf("ann");
    expect(ann.map(({ type, data }) => [type, data["amount"]])).toEqual([
      ["saldo.operation.deposit", "100.50"],
      ["saldo.operation.withdrawal", "0.50"],
      ["saldo.operation.transfer", "25.00"],
    ]);
    expect(ann[0]).toMatchObject({
      specversion: "1.0",
      subject: `${run}-ann`,
      data: { user_id: `${run}-ann`, operation: "deposit", currency: "RUB", correlation_id: `corr-${run}`, comment: "d" },
    });
    expect(ann[2]?.data).toMatchObject({ direction: "out", peer_user_id: `${run}-ben` });
    const [ben] = await notificationsOf("ben");
    expect(ben?.data).toMatchObject({ direction: "in", user_id: `${run}-ben`, peer_user_id: `${run}-ann`, amount: "25.00" });
  });

  it("keeps what Kafka did not acknowledge, and publishes it under the same id when it is sent again", async () => {
    await ledger.post(depositOperation(movement("again", "cid", 100n)));
    const lostAnswer: KafkaProducer["send"] = async (topic, messages) => {
      await producer.send(topic, messages);
      throw new Error("the answer was lost");
    };
    await newRelay(lostAnswer).step();
    expect(await unpublished()).toMatchObject([{ attempts: 1 }]);
    await database.db.execute("update leases set until = clock_timestamp()");
    await newRelay().step();
    expect(await unpublished()).toEqual([]);
    const [first, second, ...more] = await notificationsOf("cid");
    expect(second?.id).toBe(first?.id);
    expect(more).toEqual([]);
  });

  it("keeps the order of each user through refused sends and a relay that is killed between sending and marking", async () => {
    await database.db.execute("update leases set until = clock_timestamp()");
    const users = ["eva", "fay", "gus"];
    for (let place = 1; place <= 20; place += 1)
      await Promise.all(users.map((user) => ledger.post(depositOperation(movement(`order-${user}-${place}`, user, BigInt(place))))));
    let sends = 0;
    const unsteady: KafkaProducer["send"] = async (topic, messages) => {
      sends += 1;
      if (sends % 3 === 1) throw new Error("the broker is away");
      const sent = await producer.send(topic, messages);
      // Acknowledged, and never marked: what a kill leaves behind.
      if (sends % 3 === 2) throw new Error("killed");
      return sent;
    };
    const stop = new AbortController();
    const running = [newRelay(unsteady), newRelay(unsteady)].map((relay) => relay.run(stop.signal));
    await until("everything is published", async () => (await unpublished()).length === 0);
    stop.abort();
    await Promise.all(running);
    for (const user of users) {
      const seen = new Map<string, string>();
      const all = await notificationsOf(user);
      for (const { id, data } of all) if (!seen.has(id)) seen.set(id, String(data["amount"]));
      expect(all.length).toBeGreaterThan(seen.size);
      expect([...seen.values()]).toEqual(Array.from({ length: 20 }, (_, place) => ((place + 1) / 100).toFixed(2)));
    }
  });

  it("is woken by a row, long before its poll", async () => {
    await database.db.execute("update leases set until = clock_timestamp()");
    let relay: Relay | undefined;
    const newWake = () => createOutboxWake({ url: testDatabase.appUrl, db: database.db, onRow: () => relay?.wakeUp() });
    // Also after another relay was killed in its sleep.
    const killed = newWake();
    await killed.fallAsleep(1_000);
    await killed.close();
    const wake = newWake();
    relay = newRelay(producer.send, { wake, pollMs: 600_000 });
    const stop = new AbortController();
    const running = relay.run(stop.signal);
    const isAsleep = async () =>
      (await database.db.execute("select 1 from leases where name = 'outbox-relay-sleeps' and until > clock_timestamp() + '1 minute'"))
        .length === 1;
    await until("it sleeps", isAsleep);
    // Also after the connection that listens was lost.
    const admin = postgres(testDatabase.adminUrl, { max: 1, fetch_types: false });
    const listening = async () =>
      (await admin.unsafe("select pid from pg_stat_activity where application_name = 'relay-wake' and datname = current_database()"))[0]?.[
        "pid"
      ] as number | undefined;
    const first = await listening();
    await admin.unsafe(`select pg_terminate_backend(${String(first)})`);
    await until("it listens again", async () => ![first, undefined].includes(await listening()));
    await admin.end({ timeout: 5 });
    const startedAtMs = performance.now();
    await ledger.post(depositOperation(movement("woken", "hal", 100n)));
    await until("it is published", async () => (await unpublished()).length === 0);
    expect(performance.now() - startedAtMs).toBeLessThan(60_000);
    stop.abort();
    await running;
    await wake.close();
  });

  it("carries its correlation id and a trace in headers and envelope", async () => {
    const message = (await readTopic(NOTIFICATIONS_TOPIC)).find(({ key }) => key?.toString() === `${run}-ann`);
    const event = JSON.parse(String(message?.value)) as Record<string, string>;
    expect(String(message?.headers?.["correlation-id"])).toBe(`corr-${run}`);
    expect(event["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(String(message?.headers?.["traceparent"])).toBe(event["traceparent"]);
    expect(Date.parse(String(event["time"]))).toBeGreaterThan(0);
  });

  it("is done by one relay at a time, also when several run", async () => {
    await database.db.execute("update leases set until = clock_timestamp()");
    await Promise.all(
      Array.from({ length: 200 }, (_, place) => ledger.post(depositOperation(movement(`many-${place}`, "dot", BigInt(place + 1))))),
    );
    const stop = new AbortController();
    const running = [newRelay(), newRelay(), newRelay()].map((relay) => relay.run(stop.signal));
    await until("everything is published", async () => (await unpublished()).length === 0);
    stop.abort();
    await Promise.all(running);
    const amounts = (await notificationsOf("dot")).map(({ data }) => data["amount"]);
    expect(amounts).toHaveLength(200);
    expect(new Set(amounts).size).toBe(200);
  });

  it("brings a dead letter to its topic with the original bytes", async () => {
    const topic = `dlq.purchases-${run}`;
    await ensureTopics(inject("kafkaBrokers"), [{ topic, partitions: 1, settings: {} }]);
    const letter = {
      identity: run,
      topic: `purchases-${run}`,
      partition: 3,
      offset: "77",
      code: "MALFORMED_JSON",
      reason: "not JSON",
      attempts: 1,
    } as const;
    await writeDeadLetters(database.db, {
      deadLetterTopic: topic,
      letters: [{ ...letter, key: Buffer.from([9, 0]), value: Buffer.from([0, 255]), headers: { trace: "t" } }],
    });
    await database.db.execute("update leases set until = clock_timestamp()");
    await newRelay().step();
    const [message, ...more] = await readTopic(topic);
    expect(more).toEqual([]);
    expect([message?.key, message?.value]).toEqual([Buffer.from([9, 0]), Buffer.from([0, 255])]);
    const headers = Object.fromEntries(Object.entries(message?.headers ?? {}).map(([name, value]) => [name, String(value)]));
    expect(headers).toMatchObject({
      topic: `purchases-${run}`,
      partition: "3",
      offset: "77",
      code: "MALFORMED_JSON",
      attempts: "1",
      trace: "t",
    });
  });

  it("brings a command and a change of an order at once, whatever number of messages wait for another topic before them", async () => {
    const [crowd, command, change] = ["crowd", "command", "change"].map((name) => `${name}-${run}`);
    if (crowd === undefined || command === undefined || change === undefined) throw new Error("three topics");
    await ensureTopics(
      inject("kafkaBrokers"),
      [crowd, command, change].map((topic) => ({ topic, partitions: 1, settings: {} })),
    );
    await database.db.execute(`
      insert into outbox (aggregate_type, aggregate_id, topic, raw_value)
      select 'dead_letter', place::text, case place when 30001 then '${command}' when 30002 then '${change}' else '${crowd}' end, 'x'
        from generate_series(1, 30002) places (place) order by places.place`);
    await newRelay().step();
    const lengthOf = async (topic: string) => Number((await kafka.topicOffsets(topic))[0]?.high);
    expect(await Promise.all([command, change, crowd].map(lengthOf))).toEqual([1, 1, 50]);
  });
});
