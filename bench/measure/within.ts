import { setTimeout as sleep } from "node:timers/promises";

/** The result of `work`, or an error that says what took longer than `deadlineMs`. The work itself is not stopped. */
export async function within<Result>(deadlineMs: number, what: string, work: Promise<Result>): Promise<Result> {
  const done = new AbortController();
  const late = sleep(deadlineMs, undefined, { signal: done.signal }).then(
    () => Promise.reject(new Error(`${what} took longer than ${Math.round(deadlineMs / 1_000)} s`)),
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}

/** Asks until the answer is true. Throws: Error that names what did not happen within `deadlineMs`. */
export async function untilTrue(deadlineMs: number, what: string, ask: () => Promise<boolean>): Promise<void> {
  const POLL_MS = 20;
  for (const endsAtMs = performance.now() + deadlineMs; performance.now() < endsAtMs; await sleep(POLL_MS)) if (await ask()) return;
  throw new Error(`${what} did not happen within ${Math.round(deadlineMs / 1_000)} s`);
}
