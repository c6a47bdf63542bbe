import { condition } from "@temporalio/workflow";

/** A workflow's own time: it passes as the workflow's does, and can be moved forward by hand where that is allowed. */
export interface SagaClock {
  nowMs(): number;
  advance(ms: number): void;
  /** Waits until the predicate holds (true) or the moment, if there is one, has come (false). Throws: CancelledFailure when its scope is cancelled. */
  waitUntil(holds: () => boolean, atMs?: number): Promise<boolean>;
}

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
