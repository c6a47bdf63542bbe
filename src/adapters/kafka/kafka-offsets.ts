import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "kafkajs";

/** One partition's offsets as one reader sees them: `low` is the first that is still there, `high` the one behind the last that the reader may read. */
export interface ReadableOffsets {
  readonly partition: number;
  readonly low: bigint;
  readonly high: bigint;
}

/**
 * One partition's offsets: `low` is the first message that is still there, `high` the next one to be written. `stable` is the first of a
 * transaction that is open (the last stable offset), else `high`: nothing from there on is handed out yet.
 */
export interface PartitionOffsets extends ReadableOffsets {
  readonly stable: bigint;
}

/** A broker knows the leaders of a new topic a moment before it leads: measured up to 0.3 s on two busy cores. */
const LEADERS_WITHIN_MS = 5_000;
const LEADERS_POLL_MS = 50;

/**
 * The offsets of a topic's partitions, in the order of the partitions. Waits for a leader that is on its way, which the client
 * does for every request but this one. Throws: the client's error.
 */
export async function fetchTopicOffsets(admin: Pick<Admin, "fetchTopicOffsets">, topic: string): Promise<ReadableOffsets[]> {
  for (const deadlineMs = performance.now() + LEADERS_WITHIN_MS; ; await sleep(LEADERS_POLL_MS)) {
    try {
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets
        .map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }))
        .toSorted((one, other) => one.partition - other.partition);
    } catch (error) {
      if (!isRetriable(error) || performance.now() > deadlineMs) throw error;
    }
  }
}

function isRetriable(error: unknown): boolean {
  return error instanceof Error && "retriable" in error && error.retriable === true;
}

/** The offsets of a topic's partitions from both points of view: `readers` sees committed messages, `ends` all. Throws: the client's error. */
export async function fetchOffsetsAndEnds(
  { readers, ends }: { readonly readers: Pick<Admin, "fetchTopicOffsets">; readonly ends: Pick<Admin, "fetchTopicOffsets"> },
  topic: string,
): Promise<PartitionOffsets[]> {
  // The stable offsets first: what a transaction adds meanwhile is behind them.
  const stable = new Map((await fetchTopicOffsets(readers, topic)).map(({ partition, high }) => [partition, high]));
  return (await fetchTopicOffsets(ends, topic)).map(({ partition, low, high }) => ({
    partition,
    low,
    high,
    stable: stable.get(partition) ?? low,
  }));
}
