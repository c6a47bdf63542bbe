import { condition } from "@temporalio/workflow";

/** An order's own time: it passes as the workflow's time does, and `advanceOrderUpdate` moves it forward where that is allowed. */
export interface SagaClock {
  nowMs(): number;
  advance(ms: number): void;
  /** Waits until the predicate holds (true) or this clock reaches `atMs` (false). Throws: CancelledFailure when its scope is cancelled. */
  waitUntil(holds: () => boolean, atMs?: number): Promise<boolean>;
}

/** Creates a clock that shows the workflow's time until it is advanced. */
export function createSagaClock(): SagaClock {
  let advancedMs = 0;
  const nowMs = () => Date.now() + advancedMs;
  return {
    nowMs,
    advance(ms) {
      advancedMs += ms;
    },
    async waitUntil(holds, atMs) {
      if (atMs === undefined) {
        await condition(holds);
        return true;
      }
      for (;;) {
        if (holds()) return true;
        const leftMs = atMs - nowMs();
        if (leftMs <= 0) return false;
        const before = advancedMs;
        await condition(() => holds() || advancedMs !== before, leftMs);
      }
    },
  };
}
