import { expect, test } from "vitest";
import { localTime } from "./local-time.ts";

test.each([
  ["2026-11-21T08:20:00.123Z", "Europe/Moscow", "2026-11-21T11:20:00.123+03:00"],
  ["2026-11-21T21:30:00.000Z", "Europe/Moscow", "2026-11-22T00:30:00.000+03:00"],
  ["2026-07-01T02:00:00.000Z", "America/St_Johns", "2026-06-30T23:30:00.000-02:30"],
  ["2026-01-01T00:00:00.000Z", "UTC", "2026-01-01T00:00:00.000+00:00"],
  ["2026-10-25T01:30:00.000Z", "Europe/Berlin", "2026-10-25T02:30:00.000+01:00"],
])("%s on a clock in %s is %s", (instant, timeZone, shown) => {
  expect(localTime(new Date(instant), timeZone)).toBe(shown);
  expect(Date.parse(shown)).toBe(Date.parse(instant));
});
