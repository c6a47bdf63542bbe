import { expect, it } from "vitest";
import { importExitCode } from "./import-exit-code.ts";

const tally = (change: { missing?: number; applied?: number; appliedEarlier?: number }) => ({
  missing: change.missing ?? 0,
  applied: change.applied ?? 0,
  earlier: { applied: change.appliedEarlier ?? 0, refused: 0, deadLettered: 0 },
});

it.each([
  ["every row is known and one took effect", tally({ applied: 1 }), 0, 0],
  ["every row took effect when it came first", tally({ appliedEarlier: 5 }), 0, 0],
  ["a row was no event", tally({ applied: 5 }), 1, 3],
  ["all rows were no events", tally({}), 7, 3],
  ["every row was refused or is a dead letter", tally({}), 0, 3],
  ["a row is unaccounted for, whatever else is", tally({ missing: 1 }), 7, 1],
])("when %s the import's exit code says so", (_when, sum, badRows, exitCode) => {
  expect(importExitCode(sum, badRows)).toBe(exitCode);
});
