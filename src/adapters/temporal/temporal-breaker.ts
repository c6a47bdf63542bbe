import { DomainError } from "../../base/errors.ts";
import { createBreaker, type Breaker, type BreakerOptions } from "../breaker.ts";

/** The breaker towards Temporal: what needs it is refused at once while it does not answer. Its refusal is UNAVAILABLE with `details.retryAfterMs`. */
export function createTemporalBreaker(options: Pick<BreakerOptions, "probeMs" | "log" | "failures" | "openMs">): Breaker {
  return createBreaker({
    ...options,
    event: "temporal.breaker",
    server: "Temporal",
    refusal: (retryAfterMs) =>
      new DomainError("UNAVAILABLE", "Temporal does not answer; it is not asked for a while", { retryAfterMs: String(retryAfterMs) }),
  });
}
