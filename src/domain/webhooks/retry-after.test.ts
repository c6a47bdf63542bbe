import { expect, it } from "vitest";
import { MAX_RETRY_AFTER_MS, retryAfterMsOf } from "./retry-after.ts";

const NOW_MS = Date.parse("2026-11-29T07:00:00Z");
const asked = (retryAfter: string | undefined, status: number | undefined = 429) => retryAfterMsOf({ status, retryAfter }, NOW_MS);

it("a receiver's wish to be left alone is read as seconds or as a date, and bounded", () => {
  expect([asked("30"), asked("30", 503), asked(" 0 ")]).toEqual([30_000, 30_000, 0]);
  expect(asked("Sun, 29 Nov 2026 07:02:00 GMT")).toBe(120_000);
  expect(asked("Sun, 29 Nov 2026 06:02:00 GMT")).toBe(0);
  expect([asked("86400"), asked("9999999999"), asked("Wed, 29 Nov 2028 07:02:00 GMT")]).toEqual(Array(3).fill(MAX_RETRY_AFTER_MS));
});

it("what is no such wish is none", () => {
  expect([undefined, "", "soon", "-5", "1.5", "99999999999", "nonsense GMT"].map((header) => asked(header))).toEqual(
    Array(7).fill(undefined),
  );
  expect([200, 301, 500, 502, undefined].map((status) => retryAfterMsOf({ status, retryAfter: "30" }, NOW_MS))).toEqual(
    Array(5).fill(undefined),
  );
});
