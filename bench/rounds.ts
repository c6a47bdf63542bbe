/** One measured pair: how fast Saldo (`ours`) and the baseline were in each round. */
export interface Rounds {
  readonly ours: readonly number[];
  readonly baseline: readonly number[];
  /** Median of the ratios ours / baseline of the rounds. */
  readonly ratio: number;
}

/**
 * Measures two sides in turn, `count` times, and changes which side goes first each time: a machine that slows down meanwhile
 * slows both. Each measurement gives one figure of the same unit.
 */
export async function interleave(count: number, sides: { ours: () => Promise<number>; baseline: () => Promise<number> }): Promise<Rounds> {
  const ours: number[] = [];
  const baseline: number[] = [];
  for (let round = 0; round < count; round += 1) {
    if (round % 2 === 0) {
      baseline.push(await sides.baseline());
      ours.push(await sides.ours());
    } else {
      ours.push(await sides.ours());
      baseline.push(await sides.baseline());
    }
  }
  return { ours, baseline, ratio: median(ours.map((figure, round) => figure / (baseline[round] ?? Number.NaN))) };
}

/** The median: the middle figure, or the mean of the two in the middle. NaN without figures. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] =
    sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : [sorted[middle - 1], sorted[middle]];
  return (low + high) / 2;
}

/** Keeps `concurrency` calls of `work` in flight for `durationMs` and returns how many ended per second. Throws: what `work` throws. */
export async function ratePerSecond(options: { concurrency: number; durationMs: number; work: () => Promise<void> }): Promise<number> {
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
  return (done * 1000) / (performance.now() - startedAtMs);
}
