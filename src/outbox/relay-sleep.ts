import { setTimeout as sleep } from "node:timers/promises";

export interface SleepDeps {
  /** Tells the outbox whether new rows should wake this relay. Without it the relay only polls. */
  readonly wake?: { fallAsleep(forMs: number): Promise<void>; wakeUp(): Promise<void> };
  /** How long the relay sleeps when there is nothing to publish and no row wakes it. */
  readonly pollMs: number;
  /** How long a woken relay gathers rows, so that it reads a busy outbox in batches. */
  readonly gatherMs?: number;
  readonly nowMs: () => number;
}

export interface RelaySleep {
  /** Waits a moment for more rows where some came just now, without the store: a relay that is kept busy never says that it sleeps. */
  gather(signal: AbortSignal): Promise<void>;
  /** Sleeps until a new row comes, the poll is due or the signal aborts. Throws: what the outbox throws. */
  sleep(signal: AbortSignal): Promise<void>;
  /** Ends a sleep, or the next one where there is none at this moment: there are new rows. */
  wakeUp(): void;
}

/** The outbox is told of a sleep once for so long, and not for each poll of it. */
const SAID_ONCE_MS = 10_000;

/** The sleep of a relay whose outbox is empty. `publishRest` publishes the rows that are there, and returns how many. */
export function createRelaySleep(deps: SleepDeps, publishRest: () => Promise<number>): RelaySleep {
  const { wake, pollMs, gatherMs = 0, nowMs } = deps;
  let woken = new AbortController();
  let saidUntilMs = -Infinity;
  const gather = (signal: AbortSignal) => sleep(gatherMs, undefined, { signal }).catch(() => {});

  return {
    wakeUp: () => woken.abort(),
    gather,
    async sleep(signal) {
      if (wake === undefined) {
        await sleep(pollMs, undefined, { signal }).catch(() => {});
        return;
      }
      let isUp = false;
      if (nowMs() + pollMs > saidUntilMs) {
        woken = new AbortController();
        await wake.fallAsleep(pollMs + SAID_ONCE_MS);
        saidUntilMs = nowMs() + pollMs + SAID_ONCE_MS;
        // A row that was written before the outbox knew of the sleep wakes nobody; this second look finds it.
        isUp = (await publishRest()) > 0;
      }
      if (!isUp) await sleep(pollMs, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => {});
      if (!isUp && !woken.signal.aborted) return;
      woken = new AbortController();
      saidUntilMs = -Infinity;
      await wake.wakeUp();
      await gather(signal);
    },
  };
}
