import { activityInfo } from "@temporalio/activity";
import { ApplicationFailure, ApplicationFailureCategory, TemporalFailure } from "@temporalio/common";
import { causesOf, domainErrorIn, messageOf, type ErrorCode } from "../src/base/errors.ts";

/** S1-71: 100, 200, 400 ms and so on, each ± 10 %. RetryPolicy itself knows no jitter. */
const FIRST_DELAY_MS = 100;
/** Steps that are never given up ask again at least this often. */
const MAX_DELAY_MS = 10_000;
const JITTER = 0.1;
/** The provider's breaker stays open for this long. A longer `Retry-After` of the provider is cut to it. */
const MAX_ASKED_DELAY_MS = 30_000;

/** The wait after the given attempt (1 is the first), in milliseconds; `random` is in [0, 1). The retry policy decides whether another attempt follows. */
export function retryDelayMs(attempt: number, random: number): number {
  const delayMs = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 20), MAX_DELAY_MS);
  return Math.round(delayMs * (1 - JITTER + 2 * JITTER * random));
}

/** The codes of outages, which may pass by themselves. PAUSED is none of them: a saga waits for the end of a pause in a step of its own. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "PSP_UNAVAILABLE"]);

/**
 * Turns an activity's error into a failure that its workflow can decide on. A refusal of the catalogue is final and carries its code as
 * the failure's type. An outage (UNAVAILABLE, DEADLINE_EXCEEDED, PSP_UNAVAILABLE) is retried. Any other error becomes INTERNAL and is
 * retried too, since most of them come from the outside world.
 */
export function toApplicationFailure(error: unknown, attempt: number): TemporalFailure {
  if (error instanceof TemporalFailure) return error;
  const known = domainErrorIn(error);
  if (known === undefined) return retryable("INTERNAL", messageOf(innermost(error)), attempt);
  if (PASSING.has(known.code)) return retryable(known.code, known.message, attempt, Number(known.details["retryAfterMs"] ?? 0));
  return ApplicationFailure.create({
    type: known.code,
    message: known.message,
    nonRetryable: true,
    ...(Object.keys(known.details).length === 0 ? {} : { details: [known.details] }),
    // A refusal is an answer and no incident: no warning in the log, no failure in the metrics.
    category: ApplicationFailureCategory.BENIGN,
  });
}

/** Wraps every activity so that its errors reach its workflow through `toApplicationFailure`. */
export function withFailures<Activities extends Record<string, (input: never) => Promise<unknown>>>(activities: Activities): Activities {
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [
      name,
      async (input: never) => {
        try {
          return await activity(input);
        } catch (error) {
          throw toApplicationFailure(error, activityInfo().attempt);
        }
      },
    ]),
  ) as Activities;
}

// While the breaker is open an attempt does not reach the provider: it would only use up one of the attempts that the policy allows.
function retryable(type: string, message: string, attempt: number, askedDelayMs = 0): ApplicationFailure {
  const nextRetryDelay = Math.max(retryDelayMs(attempt, Math.random()), Math.min(askedDelayMs || 0, MAX_ASKED_DELAY_MS));
  return ApplicationFailure.create({ type, message: message.slice(0, 500), nextRetryDelay });
}

// drizzle wraps what a statement threw, and its own message repeats the whole statement with its values.
function innermost(error: unknown): unknown {
  return [...causesOf(error)].at(-1) ?? error;
}
