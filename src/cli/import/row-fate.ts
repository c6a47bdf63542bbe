import type { EventTrace, OffsetRange, StandingPlace } from "../../store/events/import-tally.ts";

/** What became of one row. */
export type RowFate = "applied" | "duplicates" | "refused" | "deadLettered" | "missing";

/** Told more about some rows, beside what became of each. */
export interface FateNotes {
  deadLettered(code: string): void;
  /** What had become of the event when it came first. */
  duplicate(of: "applied" | "refused" | "deadLettered"): void;
}

/**
 * Tells of one row after the other what became of it. What stands at a place this run produced was done by this run, and
 * for one row only: a further row with the same id is a duplicate.
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
