/** A clock that only moves when everything waits: a run of minutes takes milliseconds, and is the same each time. */
export interface VirtualTime {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** Lets time pass until then. */
  runUntil(ms: number): Promise<void>;
}

/** What is woken may hand on through so many turns of the event loop before time goes on: a batcher takes one. */
const TURNS = 2;

export function createVirtualTime(): VirtualTime {
  let nowMs = 0;
  const waiting: { readonly atMs: number; readonly wake: () => void }[] = [];
  const settle = async () => {
    for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    nowMs: () => nowMs,
    sleep: (ms) =>
      new Promise((wake) => {
        const atMs = nowMs + Math.max(0, ms);
        // The next one stands last; of one moment, the one that asked first.
        const place = waiting.findLastIndex((other) => other.atMs > atMs) + 1;
        waiting.splice(place, 0, { atMs, wake });
      }),
    async runUntil(ms) {
      await settle();
      for (;;) {
        const next = waiting.at(-1);
        if (next === undefined || next.atMs > ms) break;
        waiting.pop();
        nowMs = next.atMs;
        next.wake();
        await settle();
      }
      nowMs = ms;
    },
  };
}
