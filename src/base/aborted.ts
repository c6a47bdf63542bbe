/** Settles when the signal aborts, at once when it already has. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/**
 * The work's result, or an error as soon as the signal aborts: the wait is left, the work itself goes on.
 * Throws: what `reason` makes when the signal aborts first; what the work throws.
 */
export function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal, reason: () => Error): Promise<Result> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(reason());
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
