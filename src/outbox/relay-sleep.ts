import { setTimeout as sleep } from "node:timers/promises";

export interface SleepDeps {
  /** Tells the outbox whether new rows should wake this relay. Without it the relay only polls. */
  readonly wake?: { fallAsleep(forMs: number): Promise<void>; wakeUp(): Promise<void> };
  /** How long the relay sleeps when there is nothing to publish and no row wakes it. */
  readonly pollMs: number;
  /** How long a woken relay gathers rows, so that it reads a busy outbox in batches. */
  readonly gatherMs?: number;
}

export interface RelaySleep {
  /** Sleeps until a new row comes, the poll is due or the signal aborts. Throws: what the outbox throws. */
  sleep(signal: AbortSignal): Promise<void>;
  /** Ends a sleep: there are new rows. */
  wakeUp(): void;
}

/** The sleep of a relay whose outbox is empty. `publishRest` publishes the rows that are there, and returns how many. */
export function createRelaySleep(deps: SleepDeps, publishRest: () => Promise<number>): RelaySleep {
  const { wake, pollMs, gatherMs = 0 } = deps;
  let wakeUp = () => {};
  return {
    wakeUp: () => wakeUp(),
    async sleep(signal) {
      if (wake === undefined) {
        await sleep(pollMs, undefined, { signal }).catch(() => {});
        return;
      }
      await wake.fallAsleep(pollMs);
      // A row that was written before the outbox knew of the sleep is found by this second look. The poll finds a row between the two.
      if ((await publishRest()) === 0) {
        const woken = new AbortController();
        wakeUp = () => woken.abort();
        await sleep(pollMs, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => {});
        wakeUp = () => {};
        if (!woken.signal.aborted) return;
      }
      await wake.wakeUp();
      await sleep(gatherMs, undefined, { signal }).catch(() => {});
    },
  };
}
