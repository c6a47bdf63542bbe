import { randomUUID } from "node:crypto";
import { Kafka as KafkaClient, logLevel, type Admin } from "kafkajs";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { FetchedMessage } from "../../src/adapters/kafka/kafka-message.ts";
import { ensureTopics, type Kafka, type KafkaOptions } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { hasJavaKafka, startJavaKafka, type JavaKafka } from "./java-kafka.ts";
import { createScheduleRunner, ZERO_KEY, type ScheduleRunner, type Step } from "./transaction-schedules.ts";
import { until } from "./until.ts";

const SESSION_TIMEOUT_MS = 30_000;
/** More than the client can push onto a list in one call, where it does so. */
const LARGE_BATCH = 130_000;

/**
 * The tests of what a Kafka client behind `createKafka` hands out of topics that others made and wrote to, with Kafka's own Java client as the
 * oracle where this machine can run it. To be run for each client that may replace it.
 */
export function describeKafkaReading(name: string, createKafka: (options: KafkaOptions) => Kafka): void {
  describe(`the Kafka client ${name} reads what others wrote`, () => {
    const brokers = inject("kafkaBrokers");
    const hasJava = hasJavaKafka(inject("cacheDir"));
    let kafka: Kafka;
    let admin: Admin;
    let java: JavaKafka | undefined;
    let runner: ScheduleRunner;

    beforeAll(async () => {
      kafka = createKafka({ brokers, clientId: "reading", logger: SILENT_LOG });
      admin = new KafkaClient({ clientId: "reading", brokers, logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
      java = hasJava ? startJavaKafka({ cacheDir: inject("cacheDir"), brokers }) : undefined;
      runner = createScheduleRunner(brokers, `reading-${randomUUID().slice(0, 8)}`);
    });

    afterAll(async () => {
      await runner.close();
      await java?.close();
      await admin.disconnect();
      await kafka.close();
    });

    async function newPlace() {
      const where = { topic: `reading-${randomUUID().slice(0, 8)}`, group: `reading-${randomUUID().slice(0, 8)}` };
      await ensureTopics(brokers, [{ topic: where.topic, partitions: 1, settings: {} }]);
      return where;
    }

    /** Every message from `from` on, until the group is committed at the end of the partition. */
    async function readAll(where: { topic: string; group: string }, from = 0n): Promise<FetchedMessage[]> {
      if (from > 0n)
        await admin.setOffsets({ groupId: where.group, topic: where.topic, partitions: [{ partition: 0, offset: String(from) }] });
      const seen: FetchedMessage[] = [];
      const crashes: Error[] = [];
      const consumer = kafka.createConsumer({ ...where, sessionTimeoutMs: SESSION_TIMEOUT_MS, partitionsAtOnce: 1, graceMs: 1_000 });
      await consumer.run(
        async (batch, control) => {
          for (const message of batch.messages) seen.push(message);
          await control.commit(batch.nextOffset);
        },
        (error) => crashes.push(error),
      );
      const [end] = await kafka.topicOffsets(where.topic);
      await until("all is committed", async () => (await kafka.committedOffsets(where.group, where.topic)).get(0) === end?.high, 90_000);
      await consumer.stop();
      expect(crashes).toEqual([]);
      return seen;
    }

    const begin = (producer: number): Step => ({ act: "begin", producer });
    const send = (producer: number, key: Buffer | null = null): Step => ({ act: "send", producer, key, count: 1 });
    const commit = (producer: number): Step => ({ act: "commit", producer });
    const abort = (producer: number): Step => ({ act: "abort", producer });

    it.each<[string, Step[]]>([
      [
        "of two interleaved transactions of which one is aborted, what the other committed",
        [begin(0), begin(1), send(0), send(1), send(0), send(1), abort(0), send(1), commit(1), send(2)],
      ],
      [
        "of two interleaved transactions that are both aborted, nothing",
        [begin(0), begin(1), send(0), send(1), send(0), send(1), abort(1), send(0), abort(0), send(2)],
      ],
      [
        "of an aborted transaction with a key of four zero bytes, nothing",
        [begin(0), send(0, ZERO_KEY), send(0), send(0, ZERO_KEY), send(0), abort(0), send(1)],
      ],
    ])("%s, from wherever it begins", async (_what, steps) => {
      const where = await newPlace();
      const readable = await runner.run(where.topic, 0, steps);
      expect(readable.length).toBeGreaterThan(0);
      for (const from of [0n, 2n]) {
        const expected = readable.filter((offset) => offset >= from);
        if (java !== undefined) expect(await java.read(where.topic, 0, from)).toEqual(expected);
        const group = `${where.group}-${from}`;
        expect((await readAll({ topic: where.topic, group }, from)).map(({ offset }) => BigInt(offset))).toEqual(expected);
      }
    });

    it("nothing behind a transaction that is open, and all of it once it ended", async () => {
      const where = await newPlace();
      const client = new KafkaClient({ clientId: "open", brokers, logLevel: logLevel.NOTHING });
      const producer = client.producer({
        transactionalId: where.topic,
        maxInFlightRequests: 1,
        idempotent: true,
        allowAutoTopicCreation: false,
      });
      await producer.connect();
      await runner.run(where.topic, 0, [send(0)]);
      const transaction = await producer.transaction();
      await transaction.send({ topic: where.topic, messages: [{ value: "open" }] });
      await runner.run(where.topic, 0, [send(0)]);
      expect(await kafka.topicOffsets(where.topic)).toEqual([{ partition: 0, low: 0n, high: 3n, stable: 1n }]);
      await transaction.commit();
      expect((await readAll(where)).map(({ offset }) => offset)).toEqual(["0", "1", "2"]);
      await producer.disconnect();
    });

    it.runIf(hasJava).each(["gzip", "snappy", "lz4", "zstd"] as const)("batches packed by %s", async (codec) => {
      const where = await newPlace();
      const value = `{"note":"${"purchase ".repeat(20)}"}`;
      await java?.produce(where.topic, codec, 500, value);
      const seen = await readAll(where);
      expect(seen).toHaveLength(500);
      expect(seen.every((message) => String(message.value) === value)).toBe(true);
    });

    it.runIf(hasJava)(`a batch of ${LARGE_BATCH} records`, async () => {
      const where = await newPlace();
      await java?.produce(where.topic, "gzip", LARGE_BATCH);
      expect(await readAll(where)).toHaveLength(LARGE_BATCH);
    });

    it("headers that repeat, keys of null, of no bytes and of many, and tombstones", async () => {
      const where = await newPlace();
      const producer = new KafkaClient({ clientId: "records", brokers, logLevel: logLevel.NOTHING }).producer({
        allowAutoTopicCreation: false,
      });
      await producer.connect();
      await producer.send({
        topic: where.topic,
        messages: [
          { key: null, value: "null key" },
          { key: Buffer.alloc(0), value: Buffer.alloc(0) },
          { key: "tombstone", value: null },
          { key: ZERO_KEY, value: "zero key", headers: { one: "ü", many: ["a", "b"], none: Buffer.alloc(0) } },
        ],
      });
      await producer.disconnect();
      const seen = await readAll(where);
      expect(seen.map(({ key, value }) => [key?.toString("latin1"), value?.toString()])).toEqual([
        [undefined, "null key"],
        ["", ""],
        ["tombstone", undefined],
        ["\0\0\0\0", "zero key"],
      ]);
      const headers = seen[3]?.headers ?? {};
      expect(Object.keys(headers)).toEqual(["one", "many", "none"]);
      expect(String(headers["one"])).toBe("ü");
    });
  });
}
