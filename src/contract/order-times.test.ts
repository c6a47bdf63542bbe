import { expect, test } from "vitest";
import { COMPENSATION_DAILY_MS, COMPENSATION_SLOW_MS, COMPENSATION_SLOWEST_MS, nextRestMs, RESTS_BEFORE_DAILY } from "./order-times.ts";

test("a stuck step rests twice as long each time, up to half an hour, and after three weeks for a day", () => {
  const rests = [COMPENSATION_SLOW_MS];
  while (rests.length < 6) rests.push(nextRestMs(rests.at(-1) ?? 0, rests.length));
  expect(rests).toEqual([3, 6, 12, 24, 30, 30].map((minutes) => minutes * 60_000));
  expect(nextRestMs(COMPENSATION_SLOWEST_MS, RESTS_BEFORE_DAILY - 1)).toBe(COMPENSATION_SLOWEST_MS);
  expect(nextRestMs(COMPENSATION_SLOWEST_MS, RESTS_BEFORE_DAILY)).toBe(COMPENSATION_DAILY_MS);
});

test("a year of a stuck step stays far below the events that a workflow may have", () => {
  const eventsOfARest = 10;
  let [passedMs, rests, restMs] = [0, 0, COMPENSATION_SLOW_MS];
  for (; passedMs < 365 * 86_400_000; rests += 1, restMs = nextRestMs(restMs, rests)) passedMs += restMs;
  expect(rests * eventsOfARest).toBeLessThan(51_200 / 2);
});
