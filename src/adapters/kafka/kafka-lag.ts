import { setTimeout as sleep } from "node:timers/promises";
import { NO_NOTE } from "./kafka-note.ts";
import type { Kafka } from "./kafka.ts";

/** How far a group is behind in a partition, and what keeps it. */
export interface PartitionLag {
  readonly topic: string;
  readonly group: string;
  readonly partition: number;
  /** Messages up to the end of the partition that the group has not done yet. */
  readonly lag: bigint;
  /** Those of them that may be read: the rest stand behind a transaction that is open. */
  readonly stableLag: bigint;
  /** Messages that the broker removed before the group had read them, in all. */
  readonly removedUnread: bigint;
  /** Why the partition cannot be read and is paused; undefined while it can. */
  readonly unreadable: string | undefined;
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
  kafka: Pick<Kafka, "topicOffsets" | "groupPlaces">,
  groups: readonly WatchedGroup[],
  { deadlineMs, nowMs = () => performance.now() }: { readonly deadlineMs: number; readonly nowMs?: () => number },
): () => Promise<readonly PartitionLag[]> {
  let asked: { readonly atMs: number; readonly answer: Promise<readonly PartitionLag[]> } | undefined;
  return () => {
    if (asked === undefined || nowMs() - asked.atMs > FRESH_MS) asked = { atMs: nowMs(), answer: readAll(kafka, groups) };
    return Promise.race([asked.answer, sleep(deadlineMs, [], { ref: false })]);
  };
}

async function readAll(kafka: Pick<Kafka, "topicOffsets" | "groupPlaces">, groups: readonly WatchedGroup[]): Promise<PartitionLag[]> {
  const answers = await Promise.allSettled(groups.map((watched) => readOne(kafka, watched)));
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}

async function readOne(kafka: Pick<Kafka, "topicOffsets" | "groupPlaces">, { topic, group }: WatchedGroup): Promise<PartitionLag[]> {
  // The places first: what is done meanwhile must not look like less than nothing.
  const places = await kafka.groupPlaces(group, topic);
  const offsets = await kafka.topicOffsets(topic);
  return offsets.map(({ partition, low, high, stable }) => {
    const { offset: position, note } = places.get(partition) ?? { offset: low, note: NO_NOTE };
    const from = position < low ? low : position;
    const behind = (end: bigint) => (end > from ? end - from : 0n);
    // What is removed while no bridge runs is not noted yet.
    const removedUnread = note.removedUnread + (from - position);
    return { topic, group, partition, lag: behind(high), stableLag: behind(stable), removedUnread, unreadable: note.unreadable };
  });
}
