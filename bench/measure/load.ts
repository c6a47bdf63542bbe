import { median } from "./median.ts";
import type { Sample } from "./rounds.ts";

/** Keeps `concurrency` calls of `work` in flight for `durationMs`; the figure is how many ended per second. Throws: what `work` throws. */
export async function closedLoop(options: { concurrency: number; durationMs: number; work: () => Promise<unknown> }): Promise<Sample> {
  const startedAtMs = performance.now();
  const endsAtMs = startedAtMs + options.durationMs;
  let done = 0;
  await Promise.all(
    Array.from({ length: options.concurrency }, async () => {
      while (performance.now() < endsAtMs) {
        await options.work();
        done += 1;
      }
    }),
  );
  return { figure: (done * 1_000) / (performance.now() - startedAtMs), operations: done };
}

/** Makes one call of `work` after the other for `durationMs`; the figure is the median time of a call in milliseconds. Throws: what `work` throws. */
export async function oneAtATime(options: { durationMs: number; work: () => Promise<unknown> }): Promise<Sample> {
  const times: number[] = [];
  const endsAtMs = performance.now() + options.durationMs;
  while (performance.now() < endsAtMs) {
    const startedAtMs = performance.now();
    await options.work();
    times.push(performance.now() - startedAtMs);
  }
  return { figure: median(times), operations: times.length };
}
