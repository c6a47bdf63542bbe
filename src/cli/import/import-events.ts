import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka } from "../../adapters/kafka/kafka.ts";
import type { OffsetRange } from "../../store/events/import-tally.ts";
import { countFates, type CountDeps, type ImportTally } from "./count-fates.ts";
import type { BadRow } from "./csv-rows.ts";
import type { EventRow } from "./event-csv.ts";
import { highOffsets, produceRows, rangesBetween, type ProduceDeps } from "./produce-rows.ts";

/** A file's rows from its first on, which may be asked for again. Rows that are no events are told to `onBadRow`. */
export type RowSource = (onBadRow: (row: BadRow) => void) => AsyncIterable<EventRow>;

export interface ImportProgress {
  produced(rows: number): void;
  /** Told how many of the messages since the import began the bridge has consumed. */
  consumed(messages: number, of: number): void;
}

export interface ImportDeps extends ProduceDeps, CountDeps {
  readonly kafka: Pick<Kafka, "topicOffsets" | "committedOffsets">;
  readonly group: string;
  readonly progress: ImportProgress;
  readonly onBadRow: (row: BadRow) => void;
}

/** The rows were produced, but the bridge did not consume them in time. Nothing is lost: the bridge goes on when it runs again. */
export class ImportTimeout extends Error {
  override readonly name = "ImportTimeout";
}

const POLL_MS = 250;

/**
 * Produces the rows, waits until the bridge has committed past them, and counts what became of each, from the ledger and
 * the dead letters. It moves no money itself: a second import of the same source only counts duplicates. It reads the rows twice, once to
 * produce and once to count, and keeps none of them.
 * Throws: ImportTimeout; the client's error when Kafka refuses; UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function importEvents(deps: ImportDeps, rows: RowSource, timeoutMs: number): Promise<ImportTally> {
  const begin = await highOffsets(deps);
  const windows = await produceRows(deps, rows(deps.onBadRow), begin);
  const end = windows.at(-1)?.end ?? begin;
  await untilConsumed(deps, rangesBetween(begin, end), timeoutMs);
  const again = rows(() => {});
  return await countFates(deps, again, begin, windows);
}

async function untilConsumed(deps: ImportDeps, ranges: readonly OffsetRange[], timeoutMs: number): Promise<void> {
  const total = ranges.reduce((sum, { from, to }) => sum + Number(to - from), 0);
  for (const deadlineMs = deps.nowMs() + timeoutMs; ; await sleep(POLL_MS)) {
    const committed = await deps.kafka.committedOffsets(deps.group, deps.topic);
    const left = ranges.reduce((sum, { partition, from, to }) => sum + Number(to - clamp(committed.get(partition) ?? 0n, from, to)), 0);
    deps.progress.consumed(total - left, total);
    if (left === 0) return;
    if (deps.nowMs() > deadlineMs) {
      const why = (await openTransactions(deps, ranges, committed)) ?? "is the bridge running?";
      throw new ImportTimeout(`${left} of ${total} messages are not done after ${Math.round(timeoutMs / 1000)} s; ${why}`);
    }
  }
}

/** Which partitions are read up to a transaction that is open, in words; undefined when none is. */
async function openTransactions(
  deps: ImportDeps,
  ranges: readonly OffsetRange[],
  committed: ReadonlyMap<number, bigint>,
): Promise<string | undefined> {
  const open = (await deps.kafka.topicOffsets(deps.topic)).filter(({ partition, low, high, stable }) => {
    const end = ranges.find((range) => range.partition === partition)?.to ?? 0n;
    return stable < high && stable < end && (committed.get(partition) ?? low) >= stable;
  });
  if (open.length === 0) return undefined;
  const places = open.map(({ partition, stable }) => `${deps.topic}/${partition} from offset ${stable}`).join(", ");
  return `a transaction of another producer is open on ${places}: what stands behind it is read when it ends`;
}

function clamp(value: bigint, low: bigint, high: bigint): bigint {
  if (value < low) return low;
  return value > high ? high : value;
}
