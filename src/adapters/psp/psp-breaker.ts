import { BrokenCircuitError, circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen } from "cockatiel";
import { DomainError } from "../../base/errors.ts";
import type { Log } from "../log.ts";
import { PspFailure } from "./psp-failure.ts";

/** `open`: nothing is sent. `half-open`: one request is out to see whether the provider is back. */
export type BreakerState = "closed" | "open" | "half-open";

/** Keeps a provider that does not answer from being asked more and more. */
export interface PspBreaker {
  /**
   * Runs the attempt unless the breaker is open. Only a PspFailure counts against it: a refusal is an answer.
   * Throws: what the attempt throws; PSP_UNAVAILABLE with `details.retryAfterMs`, without running it, while open.
   */
  run<Value>(attempt: () => Promise<Value>): Promise<Value>;
  state(): BreakerState;
}

/** So many failures in a row open it (S1-70). */
const FAILURES = 5;
/** So long it stays open before one probe (S1-70). */
const OPEN_MS = 30_000;

/** A closed breaker. `probeMs` is what the probe may take; others are told to wait as long. */
export function createPspBreaker(options: {
  readonly probeMs: number;
  readonly log: Log;
  readonly onState?: ((state: BreakerState) => void) | undefined;
  readonly failures?: number | undefined;
  readonly openMs?: number | undefined;
}): PspBreaker {
  const openMs = options.openMs ?? OPEN_MS;
  const failures = options.failures ?? FAILURES;
  const policy = circuitBreaker(
    handleWhen((error) => error instanceof PspFailure),
    { halfOpenAfter: openMs, breaker: new ConsecutiveBreaker(failures) },
  );
  let openedAtMs = 0;
  policy.onBreak(() => {
    openedAtMs = Date.now();
  });
  policy.onStateChange(() => {
    const state = nameOf(policy.state);
    options.onState?.(state);
    const event = { event: "psp.breaker", state };
    if (state === "open") options.log.warn({ ...event, openMs }, "the payment provider does not answer; the breaker is open");
    else options.log.info(event, `the payment provider's breaker is ${state}`);
  });
  const refusal = (retryAfterMs: number) =>
    new DomainError("PSP_UNAVAILABLE", "the payment provider does not answer; it is not asked for a while", {
      retryAfterMs: String(Math.max(1, Math.ceil(retryAfterMs))),
    });
  return {
    async run(attempt) {
      // The library would queue the callers behind the probe and send them all at once after it.
      if (policy.state === CircuitState.HalfOpen) throw refusal(options.probeMs);
      try {
        return await policy.execute(attempt);
      } catch (error) {
        throw error instanceof BrokenCircuitError ? refusal(openedAtMs + openMs - Date.now()) : error;
      }
    },
    state: () => nameOf(policy.state),
  };
}

function nameOf(state: CircuitState): BreakerState {
  switch (state) {
    case CircuitState.Closed:
      return "closed";
    case CircuitState.HalfOpen:
      return "half-open";
    case CircuitState.Open:
    case CircuitState.Isolated:
      return "open";
  }
}
