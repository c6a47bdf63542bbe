import { randomUUID } from "node:crypto";
import { CompressionTypes, Kafka as KafkaClient, logLevel, type Admin, type Message } from "kafkajs";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { ConsumerOptions } from "../../src/adapters/kafka/kafka-consumer.ts";
import { createLagReader } from "../../src/adapters/kafka/kafka-lag.ts";
import { createKafka, ensureTopics, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import type { Log } from "../../src/adapters/log.ts";
import { lagInWords } from "../../workers/parts/dependency-checks.ts";
import { hasJavaKafka, startJavaKafka, type JavaKafka } from "../support/java-kafka.ts";
import { until } from "../support/until.ts";

const hasJava = hasJavaKafka(inject("cacheDir"));
const told: Record<string, unknown>[] = [];
const LOG = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields: Record<string, unknown>) => void told.push(fields),
} as unknown as Log;

let client: KafkaClient;
let admin: Admin;
let kafka: Kafka;
let java: JavaKafka | undefined;

beforeAll(async () => {
  const brokers = inject("kafkaBrokers");
  client = new KafkaClient({ clientId: "unreadable", brokers, logLevel: logLevel.NOTHING });
  admin = client.admin();
  await admin.connect();
  kafka = createKafka({ brokers, clientId: "unreadable", logger: LOG });
  java = hasJava ? startJavaKafka({ cacheDir: inject("cacheDir"), brokers }) : undefined;
});

afterAll(async () => {
  await java?.close();
  await admin.disconnect();
  await kafka.close();
});

/** A topic as others make it: batches stay packed as their producers packed them. */
async function newPlace(partitions = 1) {
  const where = { topic: `unreadable-${randomUUID().slice(0, 8)}`, group: `unreadable-${randomUUID().slice(0, 8)}` };
  await ensureTopics(inject("kafkaBrokers"), [{ topic: where.topic, partitions, settings: {} }]);
  return where;
}

async function send(topic: string, partition: number, messages: readonly Pick<Message, "value">[], compression = CompressionTypes.None) {
  const producer = client.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({ topic, compression, messages: messages.map(({ value }) => ({ value, partition })) });
  await producer.disconnect();
}

/** Reads with the group and keeps how many messages came, and the offsets of the first thousand. */
async function startReading(where: { topic: string; group: string }, more: Partial<ConsumerOptions> = {}) {
  const seen = { count: 0, places: new Array<string>() };
  const crashes: Error[] = [];
  const consumer = kafka.createConsumer({ ...where, sessionTimeoutMs: 6_000, partitionsAtOnce: 2, graceMs: 1_000, ...more });
  await consumer.run(
    async (batch, control) => {
      seen.count += batch.messages.length;
      seen.places.push(...batch.messages.slice(0, 1_000).map(({ offset }) => `${batch.partition}:${offset}`));
      await control.commit(batch.nextOffset);
    },
    (error) => crashes.push(error),
  );
  return { seen, crashes, consumer };
}

const committed = async ({ topic, group }: { topic: string; group: string }, partition = 0) =>
  (await kafka.committedOffsets(group, topic)).get(partition);

describe("what Kafka's own producer packs is read", () => {
  it.runIf(hasJava).each(["none", "gzip", "snappy", "lz4", "zstd"] as const)("by %s", async (codec) => {
    const where = await newPlace();
    await java?.produce(where.topic, codec, 2_000, `{"note":"${"purchase ".repeat(20)}"}`);
    const { seen, crashes, consumer } = await startReading(where);
    await until("all is done", async () => (await committed(where)) === 2_000n);
    await consumer.stop();
    expect(seen.count).toBe(2_000);
    expect(crashes).toEqual([]);
  });

  it.runIf(hasJava)("as one batch of 126,000 empty records, which is a few kilobytes packed", async () => {
    const where = await newPlace();
    await java?.produce(where.topic, "gzip", 126_000);
    const { seen, crashes, consumer } = await startReading(where, { sessionTimeoutMs: 30_000 });
    await until("all is done", async () => (await committed(where)) === 126_000n, 100_000);
    await consumer.stop();
    expect(seen.count).toBe(126_000);
    expect(crashes).toEqual([]);
  });
});

it("a partition that cannot be read is paused, shown and told of; the others go on, and it goes on once its group is set behind", async () => {
  const where = await newPlace(2);
  const { topic, group } = where;
  await send(topic, 0, [{ value: "good" }]);
  await send(topic, 0, [{ value: Buffer.alloc(70_000_000) }], CompressionTypes.GZIP);
  await send(topic, 0, [{ value: "behind" }]);
  const { seen, crashes, consumer } = await startReading(where, { retryUnreadable: { firstMs: 300, maxMs: 600 } });
  const tries = () => told.filter(({ event }) => event === "kafka.unreadable");
  await until("the partition is paused", () => tries().length > 0, 60_000);
  await send(topic, 1, [{ value: "other" }]);
  await until("the other partition is done", async () => (await committed(where, 1)) === 1n);
  await until("it was tried again", () => tries().length > 2, 60_000);

  expect(seen.places.toSorted()).toEqual(["0:0", "1:0"]);
  expect(consumer.unreadable()).toEqual([0]);
  expect(tries().slice(0, 3)).toMatchObject([{ partition: 0, offset: "1", pauseMs: 300 }, { pauseMs: 600 }, { pauseMs: 600 }]);
  const readLag = async () => lagInWords(await createLagReader(kafka, [where], { deadlineMs: 5_000 })());
  expect(await readLag()).toMatchObject({ [`lag ${topic}/0`]: "2", [`cannot be read ${topic}/0`]: expect.stringMatching(/^offset 1: /) });
  expect(crashes).toEqual([]);
  await consumer.stop();

  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: "2" }] });
  const next = await startReading(where);
  await until("the rest is done", async () => (await committed(where)) === 3n);
  expect(next.seen.places).toEqual(["0:2"]);
  expect(Object.keys(await readLag()).filter((line) => !line.startsWith("lag"))).toEqual([]);
  await next.consumer.stop();
});
