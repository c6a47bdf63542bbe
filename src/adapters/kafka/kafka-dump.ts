import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import { mendFetching } from "./kafka-fetch.ts";
import { fetchTopicOffsets } from "./kafka-offsets.ts";
import { Unreadable, type ClientRecord } from "./kafka-records.ts";
import { kafkaConnection, type KafkaServers } from "./kafka-security.ts";

/** A message in its parts: `key`, `value`, and `header NAME`. */
export interface DumpedMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly parts: Readonly<Record<string, Buffer>>;
}

/** A partition's offsets that are still to be read: from `from`, below `to`. */
interface Unread {
  readonly topic: string;
  readonly partition: number;
  from: bigint;
  readonly to: bigint;
}

/** The dump is given up when nothing was read for so long. */
const STALL_MS = 20_000;

/**
 * Hands out the last `maxMessages` messages of each partition of every topic but Kafka's own, up to where they end when it begins.
 * It joins a group of its own, commits no offset and deletes the group again. Throws: the client's error, or Error when nothing comes.
 */
export async function dumpKafka(
  options: KafkaServers & { readonly maxMessages: number },
  onMessage: (message: DumpedMessage) => void,
): Promise<{ topics: number; messages: bigint; skipped: bigint }> {
  mendFetching();
  const group = `saldo-dump-${randomUUID()}`;
  const client = new Kafka({
    clientId: group,
    ...kafkaConnection(options),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 3_000,
    retry: { retries: 8, initialRetryTime: 200, maxRetryTime: 3_000 },
  });
  const admin = client.admin();
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((topic) => !topic.startsWith("__"));
    const partitions = new Map<string, Unread>();
    let skipped = 0n;
    for (const topic of topics)
      for (const { partition, low, high } of await fetchTopicOffsets(admin, topic)) {
        const from = high - low > BigInt(options.maxMessages) ? high - BigInt(options.maxMessages) : low;
        skipped += from - low;
        if (high > from) partitions.set(`${topic}/${partition}`, { topic, partition, from, to: high });
      }
    if (partitions.size === 0) return { topics: topics.length, messages: 0n, skipped };
    const messages = await readUntilEnds(client, group, partitions, onMessage);
    await admin.deleteGroups([group]).catch(() => {});
    return { topics: topics.length, messages, skipped };
  } finally {
    await admin.disconnect();
  }
}

async function readUntilEnds(
  client: Kafka,
  groupId: string,
  partitions: ReadonlyMap<string, Unread>,
  onMessage: (message: DumpedMessage) => void,
): Promise<bigint> {
  const left = new Set(partitions.keys());
  const consumer = client.consumer({ groupId, allowAutoTopicCreation: false, maxWaitTimeInMs: 200 });
  let messages = 0n;
  let stall: NodeJS.Timeout | undefined;
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [...new Set([...partitions.values()].map(({ topic }) => topic))], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const alive = () => {
        clearTimeout(stall);
        stall = setTimeout(() => reject(new Error(`Kafka handed out nothing for ${STALL_MS} ms`)), STALL_MS);
      };
      alive();
      // Only a group that is joined can be told where to begin; one that is joined again goes on where it was.
      consumer.on(consumer.events.GROUP_JOIN, () => {
        for (const { topic, partition, from } of partitions.values()) consumer.seek({ topic, partition, offset: from.toString() });
      });
      // The coordinator of a first group, or a partition, may still be on its way: the client begins again by itself.
      consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
      consumer
        .run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            alive();
            const name = `${batch.topic}/${batch.partition}`;
            const bounds = partitions.get(name);
            const { trouble } = (batch.messages.at(-1) ?? {}) as Partial<ClientRecord>;
            if (trouble !== undefined)
              return reject(
                new Error(`${name} cannot be read: ${trouble instanceof Unreadable ? trouble.reason : "its messages were removed"}`),
              );
            for (const message of batch.messages) {
              const at = BigInt(message.offset);
              if (bounds === undefined || at < bounds.from || at >= bounds.to) continue;
              messages += 1n;
              onMessage({ topic: batch.topic, partition: batch.partition, offset: message.offset, parts: partsOf(message) });
            }
            const next = BigInt(batch.lastOffset()) + 1n;
            if (bounds !== undefined && next > bounds.from) bounds.from = next;
            if (bounds !== undefined && next >= bounds.to) left.delete(name);
            if (left.size === 0) resolve();
          },
        })
        .catch(reject);
    });
    return messages;
  } finally {
    clearTimeout(stall);
    await consumer.disconnect();
  }
}

function partsOf(message: { key: Buffer | null; value: Buffer | null; headers?: Record<string, unknown> }): Record<string, Buffer> {
  const headers = Object.entries(message.headers ?? {}).flatMap(([name, value]) =>
    [value]
      .flat()
      .map((each, place): [string, Buffer] => [
        `header ${name}${place === 0 ? "" : ` ${place}`}`,
        Buffer.isBuffer(each) ? each : Buffer.from(typeof each === "string" ? each : ""),
      ]),
  );
  return {
    ...(message.key === null ? {} : { key: message.key }),
    ...(message.value === null ? {} : { value: message.value }),
    ...Object.fromEntries(headers),
  };
}
