import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createSagaClock } from "./order-clock.ts";

// Stands for the SDK's `condition`: it ends with the predicate or the time, whichever comes first.
vi.mock("@temporalio/workflow", () => ({
  condition: async (holds: () => boolean, ms = Number.POSITIVE_INFINITY) => {
    const untilMs = Date.now() + ms;
    while (!holds()) {
      if (Date.now() >= untilMs) return false;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return true;
  },
}));

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
const watched = (work: Promise<boolean>) => {
  const seen: boolean[] = [];
  void work.then((result) => seen.push(result));
  return seen;
};
afterEach(() => {
  vi.useRealTimers();
});

test("waits until the moment has come", async () => {
  const clock = createSagaClock();
  const waited = clock.waitUntil(() => false, 1_000);
  await vi.advanceTimersByTimeAsync(999);
  const done = watched(waited);
  await vi.advanceTimersByTimeAsync(0);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(2);
  expect(await waited).toBe(false);
});

test("ends at once when what it waits for is there", async () => {
  const clock = createSagaClock();
  let there = false;
  const waited = clock.waitUntil(() => there, 1_000);
  await vi.advanceTimersByTimeAsync(10);
  there = true;
  await vi.advanceTimersByTimeAsync(2);
  expect(await waited).toBe(true);
  expect(await clock.waitUntil(() => true, 0)).toBe(true);
});

test("moved forward by hand the moment comes sooner, and by as much", async () => {
  const clock = createSagaClock();
  const waited = clock.waitUntil(() => false, 10_000);
  const done = watched(waited);
  clock.advance(6_000);
  expect(clock.nowMs()).toBe(6_000);
  await vi.advanceTimersByTimeAsync(3_900);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(110);
  expect(done).toEqual([false]);
});

test("without a moment only the predicate ends it", async () => {
  const clock = createSagaClock();
  let there = false;
  const waited = clock.waitUntil(() => there);
  clock.advance(1_000_000);
  await vi.advanceTimersByTimeAsync(1_000);
  there = true;
  await vi.advanceTimersByTimeAsync(2);
  expect(await waited).toBe(true);
});
