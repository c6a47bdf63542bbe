import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { BatchControl, FetchedBatch, KafkaConsumer } from "../../src/adapters/kafka/kafka-consumer.ts";
import { ensureTopics, type Kafka, type KafkaOptions, type KafkaProducer } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { deferred } from "./deferred.ts";
import { until } from "./until.ts";

const SESSION_TIMEOUT_MS = 1_500;
const GRACE_MS = 1_000;

type Handler = (batch: FetchedBatch, control: BatchControl) => Promise<void>;

/** The tests of what the bridge relies on in the Kafka client behind `createKafka`. To be run for each client that may replace it. */
export function describeKafkaContract(name: string, createKafka: (options: KafkaOptions) => Kafka): void {
  describe(`the Kafka client ${name}`, () => {
    let kafka: Kafka;
    let producer: KafkaProducer;
    const opened: { consumer: KafkaConsumer; kafka: Kafka }[] = [];
    const names = () => ({ topic: `contract-${randomUUID().slice(0, 8)}`, group: `contract-${randomUUID().slice(0, 8)}` });

    beforeAll(() => {
      kafka = createKafka({ brokers: inject("kafkaBrokers"), clientId: "contract", logger: SILENT_LOG });
      producer = kafka.createProducer();
    });

    afterAll(async () => {
      await Promise.all(opened.map(({ consumer }) => consumer.stop()));
      await Promise.all(opened.map((one) => one.kafka.close()));
      await producer.close();
      await kafka.close();
    });

    const make = async (topic: string, partitions = 1) =>
      ensureTopics(inject("kafkaBrokers"), [{ topic, partitions, settings: { "compression.type": "uncompressed" } }]);
    const send = (topic: string, values: readonly string[], key: string | null = "k") =>
      producer.send(
        topic,
        values.map((value) => ({ key, value })),
      );
    async function consume({ topic, group }: { topic: string; group: string }, handler: Handler): Promise<KafkaConsumer> {
      const own = createKafka({ brokers: inject("kafkaBrokers"), clientId: `contract-${opened.length}`, logger: SILENT_LOG });
      const consumer = own.createConsumer({ group, topic, sessionTimeoutMs: SESSION_TIMEOUT_MS, partitionsAtOnce: 4, graceMs: GRACE_MS });
      opened.push({ consumer, kafka: own });
      await consumer.run(handler, () => {});
      return consumer;
    }
    const valuesOf = ({ messages }: FetchedBatch) => messages.map(({ value }) => String(value));
    const committed = async ({ topic, group }: { topic: string; group: string }, partition = 0) =>
      (await kafka.committedOffsets(group, topic)).get(partition);

    it("begins a new group at the beginning, in the order of the partition, and goes on where the group stands", async () => {
      const where = names();
      await make(where.topic);
      await send(where.topic, ["a", "b", "c"]);
      const seen: string[] = [];
      const take: Handler = async (batch, control) => {
        seen.push(...valuesOf(batch));
        await control.commit(batch.nextOffset);
      };
      const first = await consume(where, take);
      await until("all is committed", async () => (await committed(where)) === 3n);
      await first.stop();
      await send(where.topic, ["d"]);
      await consume(where, take);
      await until("the rest is committed", async () => (await committed(where)) === 4n);
      expect(seen).toEqual(["a", "b", "c", "d"]);
    });

    it("keeps bytes, absent keys and values, repeated headers and the time", async () => {
      const where = names();
      await make(where.topic);
      const value = Buffer.from([0, 255, 1]);
      await producer.send(where.topic, [
        { key: null, value: null },
        { key: Buffer.from([254]), value, headers: { plain: "ü" } },
      ]);
      let batch: FetchedBatch | undefined;
      await consume(where, async (one, control) => {
        batch = one;
        await control.commit(one.nextOffset);
      });
      await until("it is read", () => batch !== undefined);
      expect(batch?.messages[0]).toMatchObject({ offset: "0", key: null, value: null });
      expect(batch?.messages[1]).toMatchObject({ offset: "1", key: Buffer.from([254]), value });
      expect(String(batch?.messages[1]?.headers["plain"])).toBe("ü");
      expect(batch?.messages[1]?.timestampMs).toBeGreaterThan(Date.UTC(2020, 0, 1));
    });

    it("hands out again what was not committed, after an error of any kind as well, and lives on", async () => {
      const where = names();
      await make(where.topic);
      await send(where.topic, ["a", "b"]);
      let tries = 0;
      await consume(where, async (batch, control) => {
        tries += 1;
        if (tries === 1) throw new SyntaxError("content");
        if (tries === 2) throw new Error("anything");
        await control.commit(batch.nextOffset);
      });
      await until("all is committed", async () => (await committed(where)) === 2n);
      expect(tries).toBeGreaterThanOrEqual(3);
    });

    it("commits a part of a batch, and hands out the rest again", async () => {
      const where = names();
      await make(where.topic);
      await send(where.topic, ["a", "b", "c"]);
      const seen: string[][] = [];
      await consume(where, async (batch, control) => {
        seen.push(valuesOf(batch));
        await control.commit(batch.messages.length === 3 ? "1" : batch.nextOffset);
      });
      await until("all is committed", async () => (await committed(where)) === 3n);
      expect(seen).toEqual([
        ["a", "b", "c"],
        ["b", "c"],
      ]);
    });

    it("has one batch of a partition in hand at a time, and partitions side by side", async () => {
      const where = names();
      await make(where.topic, 2);
      let atOnce = 0;
      let most = 0;
      const perPartition = new Map<number, number>();
      let overlapped = false;
      await consume(where, async (batch, control) => {
        const here = (perPartition.get(batch.partition) ?? 0) + 1;
        perPartition.set(batch.partition, here);
        overlapped ||= here > 1;
        atOnce += 1;
        most = Math.max(most, atOnce);
        await sleep(300);
        atOnce -= 1;
        perPartition.set(batch.partition, here - 1);
        await control.commit(batch.nextOffset);
      });
      for (let round = 0; round < 3; round += 1) {
        await send(
          where.topic,
          Array.from({ length: 20 }, (_, n) => String(n)),
          null,
        );
        await sleep(200);
      }
      await until("both partitions are done", async () => {
        const [offsets, done] = await Promise.all([kafka.topicOffsets(where.topic), kafka.committedOffsets(where.group, where.topic)]);
        return offsets.every(({ partition, high }) => done.get(partition) === high);
      });
      expect(overlapped).toBe(false);
      expect(most).toBe(2);
    });

    it("stays in its group while a handler takes longer than the session", async () => {
      const where = names();
      await make(where.topic);
      await send(where.topic, ["a"]);
      let calls = 0;
      const consumer = await consume(where, async (batch, control) => {
        calls += 1;
        await sleep(SESSION_TIMEOUT_MS * 2);
        expect(control.isActive()).toBe(true);
        await control.commit(batch.nextOffset);
      });
      await until("it is committed", async () => (await committed(where)) === 1n);
      expect(calls).toBe(1);
      expect(consumer.assigned()).toEqual([0]);
    });

    it("says when a partition may be another member's: nothing new is begun, and both together do everything", async () => {
      const where = names();
      await make(where.topic, 2);
      const seen = new Set<string>();
      let noticed = 0;
      let isAlone = true;
      // Half of it is left until the second member has come, however long that takes.
      const mustWait = () => isAlone && seen.size >= 100;
      const slowly: Handler = async (batch, control) => {
        for (const message of batch.messages) {
          do await sleep(20);
          while (mustWait() && control.isActive());
          if (!control.isActive()) {
            noticed += 1;
            return;
          }
          seen.add(`${batch.partition}:${message.offset}`);
          await control.commit((BigInt(message.offset) + 1n).toString());
        }
      };
      await send(
        where.topic,
        Array.from({ length: 200 }, (_, n) => String(n)),
        null,
      );
      const first = await consume(where, slowly);
      await until("the first has begun", () => seen.size > 5);
      const second = await consume(where, slowly);
      await until("each has a partition", () => first.assigned()?.length === 1 && second.assigned()?.length === 1);
      isAlone = false;
      expect(noticed).toBeGreaterThan(0);
      await until("everything is done", () => seen.size === 200);
    });

    it("lets a handler finish and commit when it is stopped, and gives it up after its grace", async () => {
      const where = names();
      await make(where.topic);
      await send(where.topic, ["a"]);
      let inHand = false;
      let active = true;
      const stopOrdered = deferred();
      const first = await consume(where, async (batch, control) => {
        inHand = true;
        await stopOrdered.promise;
        active = control.isActive();
        await control.commit(batch.nextOffset);
      });
      await until("it is in hand", () => inHand);
      const stopped = first.stop();
      stopOrdered.resolve();
      await stopped;
      expect(active).toBe(false);
      expect(await committed(where)).toBe(1n);

      await send(where.topic, ["b"]);
      let given = false;
      const second = await consume(where, async (_batch, control) => {
        given = true;
        await new Promise<void>((resolve) => control.signal.addEventListener("abort", () => resolve(), { once: true }));
      });
      await until("it is in hand", () => given);
      await second.stop();
      expect(await committed(where)).toBe(1n);
    });
  });
}
