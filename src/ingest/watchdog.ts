import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../adapters/log.ts";
import { untilAborted } from "../base/aborted.ts";
import { messageOf } from "../base/errors.ts";

/** How far the bridge is in its topic. `mark` is a text that changes whenever the bridge has committed more. */
export interface Progress {
  readonly caughtUp: boolean;
  readonly mark: string;
}

export interface WatchdogDeps {
  readonly stallMs: number;
  /** Reads the progress from Kafka itself, since a broken consumer may take itself for alive. Rejects when Kafka does not answer. */
  readonly readProgress: () => Promise<Progress>;
  /** The outage that the bridge waits for, in words; undefined when every server it needs answers. */
  readonly knownOutage: () => Promise<string | undefined>;
  readonly onStall: (reason: string) => void;
  readonly log: Log;
  readonly nowMs: () => number;
}

export interface Watchdog {
  /** Checks the progress once. */
  check(): Promise<void>;
  /** Checks the progress at intervals until the signal aborts, and settles then at once. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Notices a bridge that has neither caught up nor committed anything for `stallMs`: a Kafka client can stop reading in a process that lives.
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
    // A check that waits for a server that does not answer must not delay an order to stop.
    run: (signal) => Promise.race([watch(signal), untilAborted(signal)]),
  };
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
