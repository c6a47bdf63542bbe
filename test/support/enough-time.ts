/**
 * What the attempt gives with the first time that was enough for it. An attempt that answers undefined says that its time was over before
 * it had done its part, as on a slow machine; the next one has twice the time. Throws: Error when two minutes were too little.
 */
export async function withEnoughTime<Result>(firstMs: number, attempt: (timeMs: number) => Promise<Result | undefined>): Promise<Result> {
  for (let timeMs = firstMs; timeMs <= 120_000; timeMs *= 2) {
    const result = await attempt(timeMs);
    if (result !== undefined) return result;
  }
  throw new Error("the time was over before everything was ready, however much there was");
}
