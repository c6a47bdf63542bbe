import { setTimeout as sleep } from "node:timers/promises";
import type { BatchControl } from "../adapters/kafka/kafka-consumer.ts";
import type { Log } from "../adapters/log.ts";
import { codeOf, messageOf } from "../base/errors.ts";

/** Tries the steps of an ingest until they succeed. */
export interface Patience {
  /**
   * Repeats `step` until it succeeds, and returns its result; undefined once the partition may have another owner or the bridge stops.
   * `part` names in words what is being done and `context` is logged with each failure. Never throws.
   */
  untilDone<Result>(part: string, context: object, control: BatchControl, step: () => Promise<Result>): Promise<Result | undefined>;
  /** The outage that a step waits out at this moment, in words; undefined when no step does. */
  outage(): string | undefined;
}

/** Patience with a growing pause between two attempts. */
export function createPatience(deps: {
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
  readonly log: Log;
}): Patience {
  const { backoff, log } = deps;
  const waits = new Map<symbol, string>();
  return {
    async untilDone(part, context, control, step) {
      const wait = Symbol(part);
      try {
        for (let pauseMs = backoff.firstMs; ; pauseMs = Math.min(pauseMs * 2, backoff.maxMs)) {
          try {
            return await step();
          } catch (error) {
            if (control.signal.aborted || !control.isActive()) return undefined;
            const fields = { ...context, part, code: codeOf(error), err: messageOf(error), pauseMs };
            if (isOutage(error)) {
              waits.set(wait, `${part}: ${messageOf(error)}`);
              log.warn(fields, "waiting: the offset stays where it is until this works again");
            } else {
              waits.delete(wait);
              log.error(fields, "this failed in a way that waiting may not mend; trying again");
            }
            await sleep(pauseMs, undefined, { signal: control.signal }).catch(() => {});
          }
        }
      } finally {
        waits.delete(wait);
      }
    },
    outage: () => waits.values().next().value,
  };
}

function isOutage(error: unknown): boolean {
  const code = codeOf(error);
  return code === "UNAVAILABLE" || code === "DEADLINE_EXCEEDED";
}
