import { expect, it } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

const NOW_MS = Date.parse("2026-11-29T07:00:00Z");

// Azure/azure-sdk-for-js#39130, basecamp/basecamp-sdk#781: more than a timer can wait became no wait at all.
it.each([
  ["0", 0],
  ["7", 7_000],
  [" 7 ", 7_000],
  ["9999999999", 2_147_483_647],
  ["9".repeat(400), 2_147_483_647],
  ["Sun, 29 Nov 2026 07:00:30 GMT", 30_000],
  ["Sunday, 29-Nov-26 07:00:30 GMT", 30_000],
  ["Sun Nov 29 07:00:30 2026 GMT", 30_000],
  ["Sun, 29 Nov 2026 06:00:00 GMT", 0],
  ["Fri, 31 Dec 9999 23:59:59 GMT", 2_147_483_647],
])("Retry-After: %s is %i ms", (header, expected) => {
  expect(retryAfterMs(header, NOW_MS)).toBe(expected);
});

it.each([undefined, null, "", "-1", "1.5", "1e3", "0x10", "soon", "Infinity", "2026-11-29"])("Retry-After: %s is no wait", (header) => {
  expect(retryAfterMs(header, NOW_MS)).toBeUndefined();
});
