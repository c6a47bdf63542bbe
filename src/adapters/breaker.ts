import { BrokenCircuitError, circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen } from "cockatiel";
import type { DomainError } from "../base/errors.ts";
import type { Log } from "./log.ts";

/** `open`: nothing is sent. `half-open`: one request is out to see whether the server is back. */
export type BreakerState = "closed" | "open" | "half-open";

/** Keeps a server that does not answer from being asked more and more. */
export interface Breaker {
  /**
   * Runs the attempt unless the breaker is open. Only an error that `isFailure` counts against the server: a refusal is an answer.
   * Throws: what the attempt throws; the breaker's refusal, without running it, while open.
   */
  run<Value>(attempt: () => Promise<Value>, isFailure: (error: unknown) => boolean): Promise<Value>;
  state(): BreakerState;
}

export interface BreakerOptions {
  /** The event of its log lines. */
  readonly event: string;
  /** The server, in words. */
  readonly server: string;
  /** What the probe may take; others are told to wait as long. */
  readonly probeMs: number;
  /** What is thrown while it is open. */
  readonly refusal: (retryAfterMs: number) => DomainError;
  readonly log: Log;
  readonly onState?: ((state: BreakerState) => void) | undefined;
  readonly failures?: number | undefined;
  readonly openMs?: number | undefined;
}

/** So many failures in a row open it (S1-70). */
const FAILURES = 5;
/** So long it stays open before one probe (S1-70). */
const OPEN_MS = 30_000;

/** A failure of an attempt, told from what the library is not to count. */
class Counted extends Error {
  override readonly name = "Counted";
}

/** A closed breaker. */
export function createBreaker(options: BreakerOptions): Breaker {
  const { event, server, probeMs, log, openMs = OPEN_MS, failures = FAILURES } = options;
  const policy = circuitBreaker(
    handleWhen((error) => error instanceof Counted),
    { halfOpenAfter: openMs, breaker: new ConsecutiveBreaker(failures) },
  );
  let openedAtMs = 0;
  policy.onBreak(() => {
    openedAtMs = Date.now();
  });
  policy.onStateChange(() => {
    const state = nameOf(policy.state);
    options.onState?.(state);
    if (state === "open") log.warn({ event, state, openMs }, `${server} does not answer; the breaker is open`);
    else log.info({ event, state }, `the breaker towards ${server} is ${state}`);
  });
  const refusal = (retryAfterMs: number) => options.refusal(Math.max(1, Math.ceil(retryAfterMs)));
  return {
    async run(attempt, isFailure) {
      // The library would queue the callers behind the probe and send them all at once after it.
      if (policy.state === CircuitState.HalfOpen) throw refusal(probeMs);
      try {
        return await policy.execute(() =>
          attempt().catch((error: unknown) => {
            throw isFailure(error) ? new Counted("counted", { cause: error }) : error;
          }),
        );
      } catch (error) {
        if (error instanceof Counted) throw error.cause;
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
