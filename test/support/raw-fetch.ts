import { Kafka as KafkaClient, logLevel, type KafkaMessage } from "kafkajs";
import { mendFetching } from "../../src/adapters/kafka/kafka-fetch.ts";
import { clientModule } from "../../src/adapters/kafka/kafka-internals.ts";

interface ClientBatch {
  readonly messages: readonly KafkaMessage[];
  lastOffset(): string;
  isEmptyIncludingFiltered(): boolean;
}

interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Readonly<Record<string, readonly number[]>>;
  findBroker(place: { readonly nodeId: string }): Promise<{ fetch(request: object): Promise<FetchAnswer> }>;
}

interface FetchAnswer {
  readonly responses: readonly { readonly partitions: readonly object[] }[];
}

/** Fetches as the client's consumer does, from any offset and without a group. */
export interface RawFetch {
  /** The offsets that are handed out from `from` up to `to`, fetched `maxBytes` at a time. */
  read(
    topic: string,
    partition: number,
    range: { readonly from: bigint; readonly to: bigint; readonly maxBytes?: number },
  ): Promise<bigint[]>;
  close(): Promise<void>;
}

/** Connects at once. */
export async function openRawFetch(brokers: readonly string[]): Promise<RawFetch> {
  mendFetching();
  const client = new KafkaClient({ clientId: "raw-fetch", brokers: [...brokers], logLevel: logLevel.NOTHING });
  const key = Object.getOwnPropertySymbols(client).find(({ description }) => description === "private:Kafka:createCluster");
  const cluster = (client as unknown as Record<symbol, (options: object) => Cluster>)[key as symbol]?.({ isolationLevel: 1 });
  if (cluster === undefined) throw new Error("the client makes no cluster");
  await cluster.connect();
  const Batch = clientModule("consumer/batch.js") as new (topic: string, fetchedOffset: string, partition: object) => ClientBatch;
  return {
    async read(topic, partition, { from, to, maxBytes = 1_048_576 }) {
      await cluster.addTargetTopic(topic);
      const [nodeId = ""] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
      const broker = await cluster.findBroker({ nodeId });
      const offsets: bigint[] = [];
      for (let at = from; at < to;) {
        const fetchOffset = at.toString();
        const topics = [{ topic, partitions: [{ partition, fetchOffset, maxBytes }] }];
        const { responses } = await broker.fetch({ maxWaitTime: 500, minBytes: 1, maxBytes, isolationLevel: 1, topics });
        const batch = new Batch(topic, fetchOffset, responses[0]?.partitions[0] ?? {});
        if (batch.isEmptyIncludingFiltered()) throw new Error(`nothing was fetched of ${topic}/${partition} at ${at}, before ${to}`);
        for (const { offset } of batch.messages) offsets.push(BigInt(offset));
        at = BigInt(batch.lastOffset()) + 1n;
      }
      return offsets;
    },
    close: () => cluster.disconnect(),
  };
}
