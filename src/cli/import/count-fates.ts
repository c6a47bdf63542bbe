import { setTimeout as sleep } from "node:timers/promises";
import { eventKey } from "../../contract/ids.ts";
import { readLettersByPlace, type EventTrace, type OffsetRange, type TracedEvent } from "../../store/events/import-tally.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { EventRow } from "./event-csv.ts";
import { rangesBetween, type Offsets, type Window } from "./produce-rows.ts";
import { createClassifier } from "./row-fate.ts";

/** What became of the rows that were produced. They add up when none is `missing`. */
export interface ImportTally {
  readonly produced: number;
  readonly applied: number;
  /** Rows that an earlier import, or an earlier row with the same id, had brought already. */
  readonly duplicates: number;
  readonly refused: number;
  readonly deadLettered: number;
  /** The same, by the code of the dead letter. */
  readonly deadLetterCodes: Readonly<Record<string, number>>;
  /** What had become of the duplicates when they came first. */
  readonly earlier: Readonly<Record<"applied" | "refused" | "deadLettered", number>>;
  /** Rows of which neither an operation nor a dead letter is known. */
  readonly missing: number;
}

export interface CountDeps {
  readonly db: Db;
  readonly topic: string;
  /** What the topic is called where a place in it is named. */
  readonly placeTopic: () => Promise<string>;
  /** What became of events, in their order. */
  readonly trace: (db: Db, placeTopic: string, events: readonly TracedEvent[]) => Promise<EventTrace[]>;
  /** How long what was consumed may take until it stands; for events that are done when they are consumed, 0. */
  readonly settleMs: number;
  readonly nowMs: () => number;
}

const POLL_MS = 250;
const KEYS_PER_QUERY = 5_000;
const UNKNOWN: EventTrace = { operation: undefined, deadLetter: undefined };
const NOTHING: ImportTally = {
  produced: 0,
  applied: 0,
  duplicates: 0,
  refused: 0,
  deadLettered: 0,
  deadLetterCodes: {},
  earlier: { applied: 0, refused: 0, deadLettered: 0 },
  missing: 0,
};

/**
 * Counts what became of rows that were produced in these windows, by reading them once more. `begin` is where the first window begins.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function countFates(
  deps: CountDeps,
  rows: AsyncIterable<EventRow>,
  begin: Offsets,
  windows: readonly Window[],
): Promise<ImportTally> {
  const placed = { ...deps, placeTopic: await deps.placeTopic() };
  const counting = rows[Symbol.asyncIterator]();
  const deadlineMs = deps.nowMs() + deps.settleMs;
  let sum = NOTHING;
  let from = begin;
  try {
    for (const window of windows) {
      const events = await take(counting, window.rows, (row) => ({ key: keyOf(deps.topic, row.eventId), subject: row.key }));
      sum = add(sum, await settledTally(placed, events, rangesBetween(from, window.end), deadlineMs));
      // Somebody cut the file while it was imported.
      const gone = window.rows - events.length;
      sum = { ...sum, produced: sum.produced + gone, missing: sum.missing + gone };
      from = window.end;
    }
  } finally {
    await counting.return?.();
  }
  return sum;
}

async function take<From, To>(source: AsyncIterator<From>, count: number, convert: (value: From) => To): Promise<To[]> {
  const taken: To[] = [];
  while (taken.length < count) {
    const next = await source.next();
    if (next.done === true) break;
    taken.push(convert(next.value));
  }
  return taken;
}

type PlacedDeps = Omit<CountDeps, "placeTopic"> & { readonly placeTopic: string };

async function settledTally(
  deps: PlacedDeps,
  events: readonly TracedEvent[],
  ranges: readonly OffsetRange[],
  deadlineMs: number,
): Promise<ImportTally> {
  for (;;) {
    const counts = await tallyOf(deps, events, ranges);
    if (counts.missing === 0 || deps.nowMs() >= deadlineMs) return counts;
    await sleep(POLL_MS);
  }
}

function add(one: ImportTally, other: ImportTally): ImportTally {
  const deadLetterCodes = { ...one.deadLetterCodes };
  for (const [code, count] of Object.entries(other.deadLetterCodes)) deadLetterCodes[code] = (deadLetterCodes[code] ?? 0) + count;
  return {
    produced: one.produced + other.produced,
    applied: one.applied + other.applied,
    duplicates: one.duplicates + other.duplicates,
    refused: one.refused + other.refused,
    deadLettered: one.deadLettered + other.deadLettered,
    deadLetterCodes,
    earlier: {
      applied: one.earlier.applied + other.earlier.applied,
      refused: one.earlier.refused + other.earlier.refused,
      deadLettered: one.earlier.deadLettered + other.earlier.deadLettered,
    },
    missing: one.missing + other.missing,
  };
}

async function tallyOf(deps: PlacedDeps, events: readonly TracedEvent[], ranges: readonly OffsetRange[]): Promise<ImportTally> {
  const deadLetterCodes: Record<string, number> = {};
  const earlier = { applied: 0, refused: 0, deadLettered: 0 };
  const classify = createClassifier(ranges, await codesOfLettersByPlace(deps, ranges), {
    deadLettered: (code) => (deadLetterCodes[code] = (deadLetterCodes[code] ?? 0) + 1),
    duplicate: (of) => (earlier[of] += 1),
  });
  const counts = { applied: 0, duplicates: 0, refused: 0, deadLettered: 0, missing: 0 };
  for (let from = 0; from < events.length; from += KEYS_PER_QUERY) {
    const some = events.slice(from, from + KEYS_PER_QUERY);
    const traces = await deps.trace(deps.db, deps.placeTopic, some);
    for (const [place, { key }] of some.entries()) counts[classify(key, traces[place] ?? UNKNOWN)] += 1;
  }
  return { produced: events.length, ...counts, deadLetterCodes, earlier };
}

async function codesOfLettersByPlace(deps: PlacedDeps, ranges: readonly OffsetRange[]): Promise<Map<string, string[]>> {
  const letters = new Map<string, string[]>();
  for (const { value, code } of await readLettersByPlace(deps.db, { topic: deps.placeTopic, ranges })) {
    const key = keyOf(deps.topic, eventIdOf(value));
    const known = letters.get(key);
    if (known === undefined) letters.set(key, [code]);
    else known.push(code);
  }
  return letters;
}

// Messages of other producers stand between ours; what they hold is theirs. The import writes each id as text.
function eventIdOf(value: Buffer): string {
  try {
    const event = JSON.parse(value.toString("utf8")) as { event_id?: unknown; transaction_id?: unknown } | null;
    const id = event?.event_id ?? event?.transaction_id;
    return typeof id === "string" ? id : "";
  } catch {
    return "";
  }
}

function keyOf(topic: string, eventId: string): string {
  return eventKey({ topic, partition: 0, offset: "0" }, eventId);
}
