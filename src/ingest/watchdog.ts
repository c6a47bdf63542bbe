import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../adapters/log.ts";
import { messageOf } from "../base/errors.ts";

/** Where the bridge stands. `mark` is any text that changes whenever the bridge got further. */
export interface Progress {
  readonly caughtUp: boolean;
  readonly mark: string;
}

export interface WatchdogDeps {
  readonly stallMs: number;
  /** Asks Kafka itself, so that a consumer that only believes to be alive is noticed. Rejects when Kafka does not answer. */
  readonly readProgress: () => Promise<Progress>;
  /** What the bridge has to wait for, in words; undefined when everything it needs answers. */
  readonly knownOutage: () => Promise<string | undefined>;
  readonly onStall: (reason: string) => void;
  readonly log: Log;
  readonly nowMs: () => number;
}

export interface Watchdog {
  /** Looks once. */
  check(): Promise<void>;
  /** Looks again and again until the signal aborts, and settles then at once. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Notices a bridge that neither moved nor caught up for `stallMs`: an alive process is no proof with any Kafka client.
 * The time of a known outage does not count: ending the process would not help, and the bridge goes on by itself.
 */
export function createWatchdog(deps: WatchdogDeps): Watchdog {
  let lastMark: string | undefined;
  let movedAtMs = deps.nowMs();

  const check = async (): Promise<void> => {
    let progress: Progress;
    try {
      progress = await deps.readProgress();
    } catch (error) {
      movedAtMs = deps.nowMs();
      deps.log.warn({ err: messageOf(error) }, "Kafka does not answer; the bridge waits for it");
      return;
    }
    if (progress.caughtUp || progress.mark !== lastMark) {
      lastMark = progress.mark;
      movedAtMs = deps.nowMs();
      return;
    }
    const stalledMs = deps.nowMs() - movedAtMs;
    if (stalledMs < deps.stallMs) return;
    const outage = await deps.knownOutage();
    if (outage === undefined) {
      deps.onStall(`the bridge neither moved nor caught up for ${stalledMs} ms`);
      return;
    }
    movedAtMs = deps.nowMs();
    deps.log.warn({ outage, stalledMs }, "the bridge waits for a known outage to end");
  };

  const watch = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await sleep(Math.max(100, deps.stallMs / 4), undefined, { signal }).catch(() => {});
      if (!signal.aborted) await check();
    }
  };
  return {
    check,
    // A server that does not answer must not keep an order to stop waiting.
    run: (signal) => Promise.race([watch(signal), aborted(signal)]),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/**
 * Whether a member's partitions are done, from what Kafka says. Without an assignment all partitions of the topic count. What stands behind
 * an open transaction, or in a partition that is paused because it cannot be read, can be done by nobody: a new process would not help.
 */
export function progressOf(input: {
  readonly assigned: readonly number[] | undefined;
  readonly unreadable: readonly number[];
  readonly offsets: readonly { readonly partition: number; readonly low: bigint; readonly stable: bigint }[];
  readonly committed: ReadonlyMap<number, bigint>;
}): Progress {
  const mine = input.offsets.filter(
    ({ partition }) => (input.assigned === undefined || input.assigned.includes(partition)) && !input.unreadable.includes(partition),
  );
  const done = mine.map(({ partition, low, stable }) => ({ partition, stable, position: input.committed.get(partition) ?? low }));
  return {
    caughtUp: done.every(({ position, stable }) => position >= stable),
    mark: done.map(({ partition, position }) => `${partition}:${position}`).join(" "),
  };
}
