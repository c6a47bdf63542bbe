import { setTimeout as sleep } from "node:timers/promises";
import type { Kafka, KafkaProducer, OutgoingMessage } from "../../adapters/kafka/kafka.ts";
import { eventKey } from "../../contract/ids.ts";
import {
  readLettersByPlace,
  type EventTrace,
  type OffsetRange,
  type StandingPlace,
  type TracedEvent,
} from "../../store/events/import-tally.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { EventRow } from "./event-csv.ts";

/** The outcomes of the rows that were produced. The figures add up when no row is `missing`. */
export interface ImportTally {
  readonly produced: number;
  readonly applied: number;
  /** Rows whose event an earlier import, or an earlier row with the same id, had brought already. */
  readonly duplicates: number;
  readonly refused: number;
  readonly deadLettered: number;
  /** The dead-lettered rows by the code of their dead letter. */
  readonly deadLetterCodes: Readonly<Record<string, number>>;
  /** The duplicates by the outcome of their event when it was first read. */
  readonly earlier: Readonly<Record<"applied" | "refused" | "deadLettered", number>>;
  /** Rows without an outcome: there is no operation and no dead letter of them. */
  readonly missing: number;
}

export interface ImportProgress {
  produced(rows: number): void;
  /** Told how many of the messages since the import began the bridge has consumed. */
  consumed(messages: number, of: number): void;
}

export interface ImportDeps {
  readonly kafka: Kafka;
  readonly producer: KafkaProducer;
  readonly db: Db;
  readonly topic: string;
  readonly group: string;
  /** Reads the outcomes of events, in their order. */
  readonly trace: (db: Db, events: readonly TracedEvent[]) => Promise<EventTrace[]>;
  /** How long a consumed event may take until it has an outcome; 0 for events that have it when they are consumed. */
  readonly settleMs: number;
  readonly progress: ImportProgress;
  readonly nowMs: () => number;
}

/** The rows were produced, but the bridge did not consume them in time. Nothing is lost: the bridge goes on when it runs again. */
export class ImportTimeout extends Error {
  override readonly name = "ImportTimeout";
}

const MAX_ROWS_PER_SEND = 2_000;
/** One send may go to one partition as one record batch, and the broker takes 1 MiB. */
const MAX_BYTES_PER_SEND = 700_000;
const POLL_MS = 250;
const KEYS_PER_QUERY = 5_000;
const UNKNOWN: EventTrace = { operation: undefined, deadLetter: undefined };

/**
 * Produces the rows, waits until the bridge has committed past them, and counts their outcomes, from the ledger and the dead letters. It moves
 * no money itself: a second import of the same source only counts duplicates.
 * Throws: ImportTimeout; the client's error when Kafka refuses; UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function importEvents(deps: ImportDeps, rows: AsyncIterable<EventRow>, timeoutMs: number): Promise<ImportTally> {
  const before = await deps.kafka.topicOffsets(deps.topic);
  const events = await produce(deps, rows);
  const after = await deps.kafka.topicOffsets(deps.topic);
  const ranges = after.map(({ partition, high }) => ({
    partition,
    from: before.find((known) => known.partition === partition)?.high ?? 0n,
    to: high,
  }));
  await untilConsumed(deps, ranges, timeoutMs);
  for (const deadlineMs = deps.nowMs() + deps.settleMs; ; await sleep(POLL_MS)) {
    const counts = await tally(deps, events, ranges);
    if (counts.missing === 0 || deps.nowMs() >= deadlineMs) return counts;
  }
}

async function produce(deps: ImportDeps, rows: AsyncIterable<EventRow>): Promise<TracedEvent[]> {
  const events: TracedEvent[] = [];
  let batch: OutgoingMessage[] = [];
  let bytes = 0;
  const flush = async () => {
    if (batch.length > 0) await deps.producer.send(deps.topic, batch);
    batch = [];
    bytes = 0;
    deps.progress.produced(events.length);
  };
  for await (const row of rows) {
    if (batch.length >= MAX_ROWS_PER_SEND || bytes + row.json.length > MAX_BYTES_PER_SEND) await flush();
    batch.push({ key: row.key, value: row.json });
    bytes += row.json.length;
    events.push({ key: keyOf(deps.topic, row.eventId), subject: row.key });
  }
  await flush();
  return events;
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

async function tally(deps: ImportDeps, events: readonly TracedEvent[], ranges: readonly OffsetRange[]): Promise<ImportTally> {
  const deadLetterCodes: Record<string, number> = {};
  const earlier = { applied: 0, refused: 0, deadLettered: 0 };
  const classify = createClassifier(ranges, await codesOfLettersByPlace(deps, ranges), {
    deadLettered: (code) => (deadLetterCodes[code] = (deadLetterCodes[code] ?? 0) + 1),
    duplicate: (of) => (earlier[of] += 1),
  });
  const counts = { applied: 0, duplicates: 0, refused: 0, deadLettered: 0, missing: 0 };
  for (let from = 0; from < events.length; from += KEYS_PER_QUERY) {
    const some = events.slice(from, from + KEYS_PER_QUERY);
    const traces = await deps.trace(deps.db, some);
    for (const [place, { key }] of some.entries()) counts[classify(key, traces[place] ?? UNKNOWN)] += 1;
  }
  return { produced: events.length, ...counts, deadLetterCodes, earlier };
}

/** The outcome of one row. */
export type RowFate = "applied" | "duplicates" | "refused" | "deadLettered" | "missing";

/** Hears more about some outcomes. */
export interface FateNotes {
  deadLettered(code: string): void;
  /** Told the outcome of the event when it was first read. */
  duplicate(of: "applied" | "refused" | "deadLettered"): void;
}

/**
 * A function that gives the outcome of one row after the other. An operation or a dead letter belongs to this run when its message lies in
 * `ranges`, the offsets of this run, and to one row only: a further row with the same id is a duplicate.
 */
export function createClassifier(
  ranges: readonly OffsetRange[],
  lettersByPlace: Map<string, string[]>,
  notes: FateNotes,
): (key: string, trace: EventTrace) => RowFate {
  const counted = new Set<string>();
  const isOurs = (kind: string, place: StandingPlace): boolean => {
    const range = ranges.find(({ partition }) => partition === place.partition);
    if (range === undefined || place.offset < range.from || place.offset >= range.to || counted.has(`${kind}${place.id}`)) return false;
    counted.add(`${kind}${place.id}`);
    return true;
  };
  return (key, { operation, deadLetter }) => {
    if (deadLetter !== undefined && isOurs("letter", deadLetter)) {
      notes.deadLettered(deadLetter.code);
      return "deadLettered";
    }
    if (operation !== undefined && isOurs("operation", operation)) return operation.outcome === "done" ? "applied" : "refused";
    const code = lettersByPlace.get(key)?.shift();
    if (code !== undefined) {
      notes.deadLettered(code);
      return "deadLettered";
    }
    if (operation === undefined && deadLetter === undefined) return "missing";
    notes.duplicate(operation === undefined ? "deadLettered" : operation.outcome === "done" ? "applied" : "refused");
    return "duplicates";
  };
}

async function codesOfLettersByPlace(deps: ImportDeps, ranges: readonly OffsetRange[]): Promise<Map<string, string[]>> {
  const letters = new Map<string, string[]>();
  for (const { value, code } of await readLettersByPlace(deps.db, { topic: deps.topic, ranges })) {
    const key = keyOf(deps.topic, eventIdOf(value));
    letters.set(key, [...(letters.get(key) ?? []), code]);
  }
  return letters;
}

// Messages of other producers stand between those of the import and may hold anything.
function eventIdOf(value: Buffer): string {
  try {
    const event = JSON.parse(value.toString("utf8")) as { event_id?: unknown; transaction_id?: unknown } | null;
    return String(event?.event_id ?? event?.transaction_id);
  } catch {
    return "";
  }
}

function keyOf(topic: string, eventId: string): string {
  return eventKey({ topic, partition: 0, offset: "0" }, eventId);
}

function clamp(value: bigint, low: bigint, high: bigint): bigint {
  if (value < low) return low;
  return value > high ? high : value;
}
