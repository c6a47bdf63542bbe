import { randomUUID } from "node:crypto";
import { ensureTopics, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import { seededRandom } from "../../src/cli/kit/seeded-random.ts";
import type { JavaKafka } from "./java-kafka.ts";
import type { RawFetch } from "./raw-fetch.ts";
import { createScheduleRunner, drawSchedule, type ScheduleRunner, type Step } from "./transaction-schedules.ts";
import { until } from "./until.ts";

export interface Readers {
  readonly brokers: readonly string[];
  readonly kafka: Kafka;
  readonly fetch: RawFetch;
  /** Undefined where this machine has no Java that can compile: then only the schedule itself says what is right. */
  readonly java: JavaKafka | undefined;
}

/** Two readings of one partition that differ. */
export interface Difference {
  readonly steps: readonly Step[];
  readonly from: bigint;
  readonly maxBytes: number;
  readonly wanted: readonly bigint[];
  readonly read: readonly bigint[];
  readonly byJava: readonly bigint[] | undefined;
}

/** Waits until every transaction of a partition has ended, and answers its end. */
async function settledEnd(kafka: Kafka, topic: string, partition: number): Promise<bigint> {
  let end = 0n;
  await until("all transactions have ended", async () => {
    const offsets = (await kafka.topicOffsets(topic)).find((known) => known.partition === partition);
    end = offsets?.high ?? 0n;
    return offsets !== undefined && offsets.stable === offsets.high;
  });
  return end;
}

/** A schedule, where it runs, and from which of the partition's offsets it is read: from all by default. */
export interface ComparedSchedule {
  readonly topic: string;
  readonly partition: number;
  readonly steps: readonly Step[];
  readonly starts?: (end: number) => readonly number[];
}

const SIZES = [1_048_576, 1, 300];

/** Runs one schedule on a partition of its own and reads it from several offsets, in small bites and in large ones. */
export async function compareSchedule(
  readers: Readers,
  runner: ScheduleRunner,
  { topic, partition, steps, starts = (end) => Array.from({ length: end }, (_, offset) => offset) }: ComparedSchedule,
): Promise<Difference | undefined> {
  const readable = await runner.run(topic, partition, steps);
  const end = await settledEnd(readers.kafka, topic, partition);
  for (const [place, start] of starts(Number(end)).entries()) {
    const from = BigInt(start);
    const maxBytes = SIZES[place % SIZES.length] ?? 1;
    const wanted = readable.filter((offset) => offset >= from);
    const read = await readers.fetch.read(topic, partition, { from, to: end, maxBytes });
    // The oracle is slower than all else.
    const byJava = place <= 1 ? await readers.java?.read(topic, partition, from) : undefined;
    if (!isSame(wanted, read) || (byJava !== undefined && !isSame(wanted, byJava))) return { steps, from, maxBytes, wanted, read, byJava };
  }
  return undefined;
}

const PARTITIONS = 50;

/** Draws and compares `count` schedules, `lanes` at a time. Answers the first that differs. */
export async function compareRandomSchedules(
  readers: Readers,
  { count, lanes, seed, onDone = () => {} }: { count: number; lanes: number; seed: number; onDone?: (done: number) => void },
): Promise<Difference | undefined> {
  const name = `schedules-${randomUUID().slice(0, 8)}`;
  const topics = new Map<string, Promise<void>>();
  const topicOf = async (number: number): Promise<string> => {
    const topic = `${name}-${Math.floor(number / PARTITIONS)}`;
    const made =
      topics.get(topic) ??
      ensureTopics(readers.brokers, [{ topic, partitions: PARTITIONS, settings: { "compression.type": "uncompressed" } }]);
    topics.set(topic, made);
    await made;
    return topic;
  };
  let next = 0;
  let different: Difference | undefined;
  const lane = async (place: number): Promise<void> => {
    const runner = createScheduleRunner(readers.brokers, `${name}-lane-${place}`);
    for (let number = next++; number < count && different === undefined; number = next++) {
      const topic = await topicOf(number);
      const random = seededRandom(seed * 100_000 + number);
      const steps = drawSchedule(random);
      const starts = (end: number) => [0, ...Array.from({ length: 5 }, () => Math.floor(random() * end))];
      const found = await compareSchedule(readers, runner, { topic, partition: number % PARTITIONS, steps, starts });
      different ??= found;
      onDone(number + 1);
    }
    await runner.close();
  };
  await Promise.all(Array.from({ length: lanes }, (_, place) => lane(place)));
  return different;
}

function isSame(one: readonly bigint[], other: readonly bigint[]): boolean {
  return one.length === other.length && one.every((offset, place) => offset === other[place]);
}
