import { setTimeout as sleepFor } from "node:timers/promises";
import { bulkhead } from "cockatiel";
import { DomainError, messageOf } from "../../base/errors.ts";
import type { BreakerState } from "../breaker.ts";
import type { Log } from "../log.ts";
import { createPspBreaker } from "./psp-breaker.ts";
import { PspFailure } from "./psp-failure.ts";

export interface PspAttemptOptions {
  /** How long one request may take. */
  readonly timeoutMs?: number;
  readonly logger: Log;
  readonly onBreakerState?: (state: BreakerState) => void;
  readonly breaker?: { readonly failures?: number; readonly openMs?: number };
  /** For tests: how the waits between attempts pass. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** For tests: 0 to 1, as Math.random. */
  readonly random?: () => number;
}

export const PSP_TIMEOUT_MS = 3_000;
/** One call and three retries (S1-71, C-11). */
const RETRY_DELAYS_MS = [100, 200, 400];
const JITTER = 0.1;
/** Requests of this process at a time: what a provider that hangs can tie up, and what reaches it before the breaker opens. */
const MAX_IN_FLIGHT = 64;

/** How the calls of a process towards its payment provider are made. */
export interface PspAttempts {
  /**
   * Runs the attempt up to four times, behind the breaker. `attempt` is told whether one before it may have had an effect; `what` stands
   * in the log. Throws: PSP_UNAVAILABLE when no attempt had a definite answer or the breaker is open; what the attempt throws.
   */
  persist<Value>(what: object, attempt: (again: boolean) => Promise<Value>): Promise<Value>;
  breakerState(): BreakerState;
}

/** Attempts with a breaker and a bound of their own. Only a PspFailure is tried again. */
export function createPspAttempts(options: PspAttemptOptions & { readonly timeoutMs: number }): PspAttempts {
  const { logger, timeoutMs } = options;
  const breaker = createPspBreaker({ probeMs: timeoutMs, log: logger, onState: options.onBreakerState, ...options.breaker });
  const gate = bulkhead(MAX_IN_FLIGHT, Number.POSITIVE_INFINITY);
  const sleep = options.sleep ?? ((ms: number) => sleepFor(ms));
  const random = options.random ?? Math.random;
  return {
    async persist(what, attempt) {
      for (let number = 1; ; number += 1) {
        try {
          return await gate.execute(() => breaker.run(() => attempt(number > 1)));
        } catch (error) {
          if (!(error instanceof PspFailure)) throw error;
          const delayMs = RETRY_DELAYS_MS[number - 1];
          const tooLong = error.retryAfterMs !== undefined && error.retryAfterMs > (delayMs ?? 0);
          const goesOn = delayMs !== undefined && !tooLong && !error.hopeless;
          logger.warn(
            { event: "psp.attempt", ...what, attempt: number, reason: messageOf(error), goesOn },
            "the payment provider gave no answer",
          );
          if (!goesOn) throw unavailable(error);
          await sleep(delayMs * (1 + JITTER * (2 * random() - 1)));
        }
      }
    },
    breakerState: breaker.state,
  };
}

function unavailable({ retryAfterMs }: PspFailure): DomainError {
  return new DomainError(
    "PSP_UNAVAILABLE",
    "the payment provider gave no definite answer; the same key is asked for again later",
    retryAfterMs === undefined ? {} : { retryAfterMs: String(retryAfterMs) },
  );
}
