import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka } from "./kafka.ts";

/** How many messages of a partition a group has not done yet. */
export interface PartitionLag {
  readonly topic: string;
  readonly group: string;
  readonly partition: number;
  readonly lag: bigint;
}

/** Which group reads which topic. */
export interface WatchedGroup {
  readonly topic: string;
  readonly group: string;
}

/** One question to Kafka answers everybody who asks within this time. */
const FRESH_MS = 2_000;

/**
 * A reader of the lag of these groups, from what Kafka itself says, so that it is right while no bridge runs. A topic that is not
 * there or does not answer is left out. Settles within `deadlineMs`, with an empty list when Kafka is slower.
 */
export function createLagReader(
  kafka: Pick<Kafka, "topicOffsets" | "committedOffsets">,
  groups: readonly WatchedGroup[],
  { deadlineMs, nowMs = () => performance.now() }: { readonly deadlineMs: number; readonly nowMs?: () => number },
): () => Promise<readonly PartitionLag[]> {
  let asked: { readonly atMs: number; readonly answer: Promise<readonly PartitionLag[]> } | undefined;
  return () => {
    if (asked === undefined || nowMs() - asked.atMs > FRESH_MS) asked = { atMs: nowMs(), answer: readAll(kafka, groups) };
    return Promise.race([asked.answer, sleep(deadlineMs, [], { ref: false })]);
  };
}

async function readAll(kafka: Pick<Kafka, "topicOffsets" | "committedOffsets">, groups: readonly WatchedGroup[]): Promise<PartitionLag[]> {
  const answers = await Promise.allSettled(groups.map((watched) => readOne(kafka, watched)));
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}

async function readOne(kafka: Pick<Kafka, "topicOffsets" | "committedOffsets">, { topic, group }: WatchedGroup): Promise<PartitionLag[]> {
  // The commits first: messages that are done meanwhile must not make a negative lag.
  const committed = await kafka.committedOffsets(group, topic);
  const offsets = await kafka.topicOffsets(topic);
  return offsets.map(({ partition, low, high }) => {
    const position = committed.get(partition) ?? low;
    const from = position < low ? low : position;
    return { topic, group, partition, lag: high > from ? high - from : 0n };
  });
}
