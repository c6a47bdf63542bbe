import { expect, test } from "vitest";
import { readWait } from "./prefer.ts";

test.each([
  ["wait=10", { waitMs: 10_000, applied: "wait=10" }],
  ["wait=0", { waitMs: 0, applied: "wait=0" }],
  ["wait=3600", { waitMs: 30_000, applied: "wait=30" }],
  ["handling=lenient, Wait = 2", { waitMs: 2_000, applied: "wait=2" }],
  ["respond-async", { waitMs: 0, applied: "respond-async" }],
  [undefined, { waitMs: 5_000 }],
  ["wait=-1", { waitMs: 5_000 }],
  ["wait=soon", { waitMs: 5_000 }],
  ["wait=1e9", { waitMs: 5_000 }],
])("the preference %j waits as it says, within bounds, and nonsense is ignored", (header, wait) => {
  expect(readWait(header)).toEqual(wait);
});
