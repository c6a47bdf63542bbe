import { DomainError } from "../../base/errors.ts";
import { createBreaker, type BreakerOptions } from "../breaker.ts";
import { PspFailure } from "./psp-failure.ts";

/**
 * The breaker towards the payment provider. Only a PspFailure counts against it. Its refusal is PSP_UNAVAILABLE with
 * `details.retryAfterMs`.
 */
export function createPspBreaker(options: Pick<BreakerOptions, "probeMs" | "log" | "onState" | "failures" | "openMs">) {
  const breaker = createBreaker({
    ...options,
    event: "psp.breaker",
    server: "the payment provider",
    refusal: (retryAfterMs) =>
      new DomainError("PSP_UNAVAILABLE", "the payment provider does not answer; it is not asked for a while", {
        retryAfterMs: String(retryAfterMs),
      }),
  });
  return {
    state: breaker.state,
    run: <Value>(attempt: () => Promise<Value>): Promise<Value> => breaker.run(attempt, (error) => error instanceof PspFailure),
  };
}
