import type { BadRow } from "./csv-rows.ts";

/** The rows of a file that were not produced: the first of them, and how many they are. Memory does not grow with their number. */
export interface BadRows {
  add(row: BadRow): void;
  count(): number;
  first(): readonly BadRow[];
}

/** Keeps at most `maxKept` rows and counts the rest. */
export function createBadRows(maxKept: number): BadRows {
  const kept: BadRow[] = [];
  let count = 0;
  return {
    add(row) {
      count += 1;
      if (kept.length < maxKept) kept.push(row);
    },
    count: () => count,
    first: () => kept,
  };
}
