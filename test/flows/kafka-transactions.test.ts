import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createKafka, ensureTopics } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { compareRandomSchedules, compareSchedule, type Readers } from "../support/compared-schedules.ts";
import { hasJavaKafka, startJavaKafka } from "../support/java-kafka.ts";
import { openRawFetch } from "../support/raw-fetch.ts";
import { createScheduleRunner, ZERO_KEY, type ScheduleRunner, type Step } from "../support/transaction-schedules.ts";
import { until } from "../support/until.ts";

let readers: Readers;
let runner: ScheduleRunner;

beforeAll(async () => {
  const brokers = inject("kafkaBrokers");
  const cacheDir = inject("cacheDir");
  readers = {
    brokers,
    kafka: createKafka({ brokers, clientId: "transactions", logger: SILENT_LOG }),
    fetch: await openRawFetch(brokers),
    java: hasJavaKafka(cacheDir) ? startJavaKafka({ cacheDir, brokers }) : undefined,
  };
  runner = createScheduleRunner(brokers, `transactions-${randomUUID().slice(0, 8)}`);
});

afterAll(async () => {
  await runner.close();
  await readers.java?.close();
  await readers.fetch.close();
  await readers.kafka.close();
});

const begin = (producer: number): Step => ({ act: "begin", producer });
const send = (producer: number, key: Buffer | null = null): Step => ({ act: "send", producer, key, count: 1 });
const commit = (producer: number): Step => ({ act: "commit", producer });
const abort = (producer: number): Step => ({ act: "abort", producer });

async function newTopic(): Promise<string> {
  const topic = `transactions-${randomUUID().slice(0, 8)}`;
  await ensureTopics(readers.brokers, [{ topic, partitions: 1, settings: {} }]);
  return topic;
}

describe("a reader gets what was committed and nothing that was aborted, wherever it begins", () => {
  it.each<[string, Step[]]>([
    [
      "two aborted transactions, one inside the other",
      [begin(0), begin(1), send(0), send(1), send(0), send(1), abort(0), abort(1), send(2)],
    ],
    [
      "two that overlap, their markers the other way round",
      [begin(0), begin(1), send(0), send(1), send(0), abort(1), send(0), abort(0), send(2)],
    ],
    [
      "the second one begun first is the broker's last",
      [begin(0), begin(1), send(1), send(0), send(1), abort(0), send(1), abort(1), send(2)],
    ],
    [
      "a committed one between two aborted",
      [begin(0), begin(1), begin(2), send(0), send(1), send(2), abort(0), commit(1), send(2), abort(2)],
    ],
    ["a key of four zero bytes inside an aborted transaction", [begin(0), send(0, ZERO_KEY), send(0), send(0), abort(0), send(1)]],
    ["such a key of somebody else between", [begin(0), send(0), begin(1), send(1, ZERO_KEY), send(0), commit(1), send(0), abort(0)]],
    [
      "several aborted ones of one producer",
      [begin(0), send(0), abort(0), begin(0), send(0), commit(0), begin(0), send(0), send(0), abort(0)],
    ],
  ])("%s", async (_what, steps) => {
    const topic = await newTopic();
    const difference = await compareSchedule(readers, runner, { topic, partition: 0, steps });
    expect(difference).toBeUndefined();
  });

  it("as Kafka's own client does, for random schedules of three producers", async () => {
    const difference = await compareRandomSchedules(readers, { count: 40, lanes: 4, seed: 20 });
    expect(difference).toBeUndefined();
  }, 180_000);
});

it("a consumer that begins inside two aborted transactions is handed nothing of them, and commits past them", async () => {
  const topic = await newTopic();
  const group = `transactions-${randomUUID().slice(0, 8)}`;
  const steps = [begin(0), begin(1), send(0), send(1), send(0, ZERO_KEY), send(1), send(0), abort(0), send(1), abort(1), send(2)];
  const [readable] = await runner.run(topic, 0, steps);
  expect(readable).toBeDefined();
  const seen: string[] = [];
  const consumer = readers.kafka.createConsumer({ group, topic, sessionTimeoutMs: 1_500, partitionsAtOnce: 1, graceMs: 1_000 });
  await consumer.run(
    async (batch, control) => {
      seen.push(...batch.messages.map(({ offset }) => offset));
      await control.commit(batch.nextOffset);
    },
    () => {},
  );
  const [end] = await readers.kafka.topicOffsets(topic);
  await until("all is committed", async () => (await readers.kafka.committedOffsets(group, topic)).get(0) === end?.high);
  await consumer.stop();
  expect(seen).toEqual([String(readable)]);
});
