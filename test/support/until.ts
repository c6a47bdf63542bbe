import { setTimeout as sleep } from "node:timers/promises";

/** Polls until the condition is true. Throws: Error with `what` when that takes longer than `timeoutMs`. */
export async function until(what: string, ask: () => Promise<boolean> | boolean, timeoutMs = 20_000): Promise<void> {
  for (const deadlineMs = performance.now() + timeoutMs; !(await ask()); await sleep(50)) {
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
  }
}
