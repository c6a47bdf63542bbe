import type { Kafka as KafkaClient } from "kafkajs";
import { isSameIncarnation, type TopicIncarnation } from "../../contract/topic-incarnations.ts";
import type { IncarnationReader } from "./kafka-incarnations.ts";
import { clusterOf, type ClientCluster } from "./kafka-internals.ts";
import { toFetchedMessage, type FetchedMessage } from "./kafka-message.ts";
import type { ClientRecord, Unreadable } from "./kafka-records.ts";

/** A run of messages by its place. `firstOffset` and `lastOffset` belong to it. */
export interface MessageRange {
  readonly topic: string;
  readonly incarnation: TopicIncarnation;
  readonly partition: number;
  readonly firstOffset: string;
  readonly lastOffset: string;
}

/** As `kafka-fetch.ts` mends it. */
interface FetchAnswer {
  readonly responses: readonly { readonly partitions: readonly { readonly messages: readonly ClientRecord[] }[] }[];
}

const READ_COMMITTED = 1;
const MAX_BYTES = 1_048_576;
const MAX_WAIT_MS = 500;

/**
 * Reads a range that was read before once more, without a group. The messages are those that a consumer hands out: of committed transactions
 * alone, in their order; what was removed at the ends of the range is missing. "removed" when its beginning or its topic is not there any more.
 * Throws: the client's error, or Error where the broker hands out nothing or nothing readable.
 */
export async function readRange(
  client: KafkaClient,
  { topic, incarnation, partition, firstOffset, lastOffset }: MessageRange,
  readIncarnation: IncarnationReader["read"],
): Promise<readonly FetchedMessage[] | "removed"> {
  const isThere = async () => {
    const now = await readIncarnation(topic, partition);
    return now !== undefined && isSameIncarnation(now, incarnation);
  };
  if (!(await isThere())) return "removed";
  const cluster = clusterOf(client);
  try {
    await cluster.connect();
    await cluster.addTargetTopic(topic);
    const messages: FetchedMessage[] = [];
    for (let at = BigInt(firstOffset); at <= BigInt(lastOffset);) {
      const records = (await fetchRecords(cluster, { topic, partition, at })).filter(({ offset }) => BigInt(offset) >= at);
      const last = records.at(-1);
      if (last === undefined) throw new Error(`nothing was fetched of ${topic}/${partition} at offset ${at}`);
      if (last.trouble === "out-of-range") return "removed";
      for (const record of records)
        if (isMessage(record) && BigInt(record.offset) <= BigInt(lastOffset)) messages.push(toFetchedMessage(record));
      // A fetch reaches beyond the range: what cannot be read only there is nobody's concern here, as it was when the range was read first.
      const trouble = last.isControlRecord ? undefined : last.trouble;
      if (trouble !== undefined && !isBehind(trouble, BigInt(lastOffset), messages))
        throw new Error(`${topic}/${partition} cannot be read: ${trouble.reason}`);
      at = BigInt(last.offset) + 1n;
    }
    // What was fetched between two equal answers is of that topic.
    return (await isThere()) ? messages : "removed";
  } finally {
    await cluster.disconnect().catch(() => {});
  }
}

async function fetchRecords(
  cluster: ClientCluster,
  { topic, partition, at }: { readonly topic: string; readonly partition: number; readonly at: bigint },
): Promise<readonly ClientRecord[]> {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
  if (nodeId === undefined) throw new Error(`nobody leads ${topic}/${partition}`);
  const broker = await cluster.findBroker({ nodeId: Number(nodeId) });
  const partitions = [{ partition, fetchOffset: at.toString(), maxBytes: MAX_BYTES }];
  const answer = await broker.fetch({
    maxWaitTime: MAX_WAIT_MS,
    minBytes: 1,
    maxBytes: MAX_BYTES,
    isolationLevel: READ_COMMITTED,
    topics: [{ topic, partitions }],
  });
  return (answer as FetchAnswer).responses[0]?.partitions[0]?.messages ?? [];
}

function isBehind({ fromOffset }: Unreadable, lastOffset: bigint, messages: readonly FetchedMessage[]): boolean {
  if (fromOffset !== undefined) return BigInt(fromOffset) > lastOffset;
  return BigInt(messages.at(-1)?.offset ?? -1) === lastOffset;
}

function isMessage({ isControlRecord, trouble }: ClientRecord): boolean {
  return !isControlRecord && trouble === undefined;
}
