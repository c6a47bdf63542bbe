import { activityInfo } from "@temporalio/activity";
import { ApplicationFailure, ApplicationFailureCategory, TemporalFailure } from "@temporalio/common";
import { causesOf, domainErrorIn, messageOf, type ErrorCode } from "../src/base/errors.ts";

/** S1-71: 100, 200, 400 ms and so on, each ± 10 %. RetryPolicy itself knows no jitter. */
const FIRST_DELAY_MS = 100;
/** Steps that are never given up ask again at least this often. */
const MAX_DELAY_MS = 10_000;
const JITTER = 0.1;
/** As long as the provider's breaker stays open. A provider that asks for more is asked again all the same. */
const MAX_ASKED_DELAY_MS = 30_000;

/** How long to wait after the given attempt (1 is the first); `random` is in [0, 1). Whether there is a next one is the retry policy's. */
export function retryDelayMs(attempt: number, random: number): number {
  const delayMs = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 20), MAX_DELAY_MS);
  return Math.round(delayMs * (1 - JITTER + 2 * JITTER * random));
}

/** What may pass by itself. PAUSED is not among them: a saga has a step of its own that waits until the pause ends. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "PSP_UNAVAILABLE"]);

/**
 * Turns what an activity met into what its workflow can decide on. A refusal of the catalogue is final and carries its
 * code as the failure's type; UNAVAILABLE, DEADLINE_EXCEEDED and PSP_UNAVAILABLE may pass by themselves; anything else is INTERNAL and is
 * tried again as well, since most of it is the outside world.
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
    // An answer, not an incident: no warning in the log, no failure in the metrics.
    category: ApplicationFailureCategory.BENIGN,
  });
}

/** Gives every activity of the list the same edge: whatever it throws reaches its workflow through toApplicationFailure. */
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

// A try that is sent against an open breaker asks nobody anything: made before its time it would only use up the tries there are.
function retryable(type: string, message: string, attempt: number, askedDelayMs = 0): ApplicationFailure {
  const nextRetryDelay = Math.max(retryDelayMs(attempt, Math.random()), Math.min(askedDelayMs || 0, MAX_ASKED_DELAY_MS));
  return ApplicationFailure.create({ type, message: message.slice(0, 500), nextRetryDelay });
}

// drizzle wraps what a statement threw, and its own message repeats the whole statement with its values.
function innermost(error: unknown): unknown {
  return [...causesOf(error)].at(-1) ?? error;
}
