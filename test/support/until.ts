import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks until the answer is yes. Throws: Error with `what` when that takes longer than `timeoutMs`, which is there for what never comes and
 * is far more than a slow machine needs.
 */
export async function until(what: string, ask: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
  for (const deadlineMs = performance.now() + timeoutMs; !(await ask()); await sleep(50)) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
  }
}
