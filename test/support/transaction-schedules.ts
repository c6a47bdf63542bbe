import { CompressionTypes, Kafka as KafkaClient, logLevel, Partitioners, type Producer, type Transaction } from "kafkajs";

/** One step of a schedule. A producer without a transaction sends plainly. */
export type Step =
  | { readonly act: "begin" | "commit" | "abort"; readonly producer: number }
  | { readonly act: "send"; readonly producer: number; readonly key: Buffer | null; readonly count: number };

/** What the client once took for the end of a transaction, whoever sent it. */
export const ZERO_KEY = Buffer.from([0, 0, 0, 0]);
const MAX_STEPS = 24;

/** A schedule of three producers, made of the numbers that `random` draws from 0 to 1. Every transaction in it ends. */
export function drawSchedule(random: () => number): Step[] {
  const steps: Step[] = [];
  const open = new Set<number>();
  const length = 6 + Math.floor(random() * (MAX_STEPS - 6));
  while (steps.length < length) {
    const producer = Math.floor(random() * 3);
    const chance = random();
    if (chance < 0.3 && !open.has(producer)) {
      open.add(producer);
      steps.push({ act: "begin", producer });
    } else if (chance < 0.5 && open.has(producer)) {
      open.delete(producer);
      steps.push({ act: random() < 0.6 ? "abort" : "commit", producer });
    } else {
      const key = random() < 0.4 ? ZERO_KEY : random() < 0.5 ? null : Buffer.from("k");
      steps.push({ act: "send", producer, key, count: 1 + Math.floor(random() * 3) });
    }
  }
  for (const producer of [...open].toSorted(() => random() - 0.5)) steps.push({ act: random() < 0.6 ? "abort" : "commit", producer });
  return steps;
}

/** Three transactional producers, and a plain one for what is sent outside of a transaction. */
export interface ScheduleRunner {
  /** Runs a schedule on one partition and answers the offsets that readers of committed messages get, and the end of the partition. */
  run(topic: string, partition: number, steps: readonly Step[]): Promise<bigint[]>;
  close(): Promise<void>;
}

const RETRY = { retries: 100, initialRetryTime: 10, maxRetryTime: 300, factor: 0, multiplier: 1.5 };

/** Connects when a producer is needed first. `name` tells the transactions of one runner from those of another. */
export function createScheduleRunner(brokers: readonly string[], name: string): ScheduleRunner {
  const client = new KafkaClient({ clientId: name, brokers: [...brokers], logLevel: logLevel.NOTHING, retry: RETRY });
  const producers = new Map<number, Promise<Producer>>();
  const producerOf = (place: number): Promise<Producer> => {
    const known = producers.get(place) ?? connect(client, place < 0 ? undefined : `${name}-${place}`);
    producers.set(place, known);
    return known;
  };
  return {
    async run(topic, partition, steps) {
      const open = new Map<number, { transaction: Transaction; offsets: bigint[] }>();
      const readable: bigint[] = [];
      for (const step of steps) {
        const own = open.get(step.producer);
        if (step.act === "begin") {
          open.set(step.producer, { transaction: await (await producerOf(step.producer)).transaction(), offsets: [] });
        } else if (step.act === "send") {
          const messages = Array.from({ length: step.count }, () => ({ key: step.key, value: "x", partition }));
          const sender = own?.transaction ?? (await producerOf(-1));
          const [sent] = await sender.send({ topic, acks: -1, compression: CompressionTypes.None, messages });
          const first = BigInt(sent?.baseOffset ?? "-1");
          for (let place = 0; place < step.count; place += 1) (own?.offsets ?? readable).push(first + BigInt(place));
        } else if (own !== undefined) {
          open.delete(step.producer);
          await (step.act === "commit" ? own.transaction.commit() : own.transaction.abort());
          if (step.act === "commit") readable.push(...own.offsets);
        }
      }
      return readable.toSorted((one, other) => (one < other ? -1 : 1));
    },
    async close() {
      await Promise.allSettled([...producers.values()].map(async (producer) => (await producer).disconnect()));
    },
  };
}

async function connect(client: KafkaClient, transactionalId: string | undefined): Promise<Producer> {
  const common = { createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: false, maxInFlightRequests: 1 };
  const producer = client.producer(transactionalId === undefined ? common : { ...common, idempotent: true, transactionalId });
  await producer.connect();
  return producer;
}
