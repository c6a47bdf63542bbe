import { setTimeout as sleep } from "node:timers/promises";

export type StopStep = { readonly signal: NodeJS.Signals; readonly graceMs: number };

const POLL_MS = 15;
const AFTER_KILL_MS = 5_000;

/**
 * Stops a process and its group: sends each step's signal and waits its grace, and at last SIGKILL. The process ends within the sum of the
 * graces and a few seconds. Safe to retry: an ended process is left alone.
 */
export async function stopProcess(target: { pid: number; isAlive: () => boolean; steps: readonly StopStep[] }): Promise<void> {
  for (const step of [...target.steps, { signal: "SIGKILL", graceMs: AFTER_KILL_MS } as const]) {
    if (!target.isAlive()) return;
    signalGroup(target.pid, step.signal);
    const deadlineMs = performance.now() + step.graceMs;
    while (target.isAlive() && performance.now() < deadlineMs) await sleep(POLL_MS);
  }
}

/** Signals the group led by `pid`, or the process alone when it leads none. An ended process is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") return;
    }
  }
}
