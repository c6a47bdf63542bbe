import { randomUUID } from "node:crypto";
import { Kafka as KafkaClient, logLevel, type Admin } from "kafkajs";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createLagReader } from "../../src/adapters/kafka/kafka-lag.ts";
import type { FetchedMessage } from "../../src/adapters/kafka/kafka-message.ts";
import { createKafka, ensureTopics, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import type { Log } from "../../src/adapters/log.ts";
import { incomingPlan } from "../../src/contract/topics.ts";
import { lagInWords } from "../../workers/parts/dependency-checks.ts";
import { until } from "../support/until.ts";

const told: object[] = [];
const keep = (fields: object) => void told.push(fields);
const LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: keep } as unknown as Log;

let client: KafkaClient;
let admin: Admin;
let kafka: Kafka;

beforeAll(async () => {
  client = new KafkaClient({ clientId: "removed", brokers: inject("kafkaBrokers"), logLevel: logLevel.NOTHING });
  admin = client.admin();
  await admin.connect();
  kafka = createKafka({ brokers: inject("kafkaBrokers"), clientId: "removed", logger: LOG });
});

afterAll(async () => {
  await admin.disconnect();
  await kafka.close();
});

const newPlace = () => ({ topic: `removed-${randomUUID().slice(0, 8)}`, group: `removed-${randomUUID().slice(0, 8)}` });

async function sendMany(topic: string, count: number, timestamp?: string) {
  const producer = client.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const messages = Array.from({ length: count }, (_, place) => ({
    value: String(place),
    partition: 0,
    ...(timestamp === undefined ? {} : { timestamp }),
  }));
  await producer.send({ topic, messages });
  await producer.disconnect();
}

/** Lets the broker remove what its retention would. */
async function removeBelow(topic: string, offset: string) {
  // The client removes only from topics that it has heard of.
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
}

/** Reads what there is with the group, until it has done everything. */
async function readAll({ topic, group }: { topic: string; group: string }): Promise<FetchedMessage[]> {
  const seen: FetchedMessage[] = [];
  const consumer = kafka.createConsumer({ group, topic, sessionTimeoutMs: 1_500, partitionsAtOnce: 1, graceMs: 1_000 });
  await consumer.run(
    async (batch, control) => {
      seen.push(...batch.messages);
      await control.commit(batch.nextOffset);
    },
    () => {},
  );
  const [end] = (await kafka.topicOffsets(topic)).toSorted((one, other) => one.partition - other.partition);
  await until("all is done", async () => (await kafka.committedOffsets(group, topic)).get(0) === end?.high);
  await consumer.stop();
  return seen;
}

it("a topic that Saldo makes keeps an event by when it came, whatever time its producer gave it", async () => {
  const { topic, group } = newPlace();
  await ensureTopics(inject("kafkaBrokers"), [incomingPlan(topic)]);
  await sendMany(topic, 1, String(Date.UTC(1997, 0, 12)));
  const [message] = await readAll({ topic, group });
  expect(message?.timestampMs).toBeGreaterThan(Date.now() - 3_600_000);
});

it("what the broker removed before it was read is counted, shown and told as an error, again and again", async () => {
  const where = newPlace();
  const place = `${where.topic}/0`;
  await ensureTopics(inject("kafkaBrokers"), [{ topic: where.topic, partitions: 1, settings: {} }]);
  const readLag = async () => lagInWords(await createLagReader(kafka, [where], { deadlineMs: 5_000 })());
  await sendMany(where.topic, 1);
  await readAll(where);
  expect(await readLag()).toEqual({ [`lag ${place}`]: "0" });

  await sendMany(where.topic, 9);
  await removeBelow(where.topic, "6");
  expect(await readLag()).toEqual({ [`lag ${place}`]: "4", [`removed unread ${place}`]: "5" });
  expect((await readAll(where)).map(({ offset }) => offset)).toEqual(["6", "7", "8", "9"]);
  expect(told).toContainEqual({ event: "kafka.removed-unread", ...where, partition: 0, position: "1", low: "6", high: "10", removed: "5" });
  expect(await readLag()).toEqual({ [`lag ${place}`]: "0", [`removed unread ${place}`]: "5" });

  await sendMany(where.topic, 3);
  await removeBelow(where.topic, "12");
  expect((await readAll(where)).map(({ offset }) => offset)).toEqual(["12"]);
  expect(await readLag()).toEqual({ [`lag ${place}`]: "0", [`removed unread ${place}`]: "7" });
});
