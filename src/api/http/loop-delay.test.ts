import { afterEach, expect, it, vi } from "vitest";
import { createLoopDelay } from "./loop-delay.ts";

afterEach(() => {
  vi.useRealTimers();
});

it("tells how late the event loop is while its timers do not run, and nothing once they do", () => {
  vi.useFakeTimers();
  let nowMs = 0;
  const delayMs = createLoopDelay(() => nowMs);
  nowMs = 80;
  expect(delayMs()).toBe(0);
  nowMs = 700;
  expect(delayMs()).toBe(600);
  vi.advanceTimersByTime(100);
  expect(delayMs()).toBe(0);
});
