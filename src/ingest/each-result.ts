import type { ErrorCode } from "../base/errors.ts";
import type { Rejected, RunResult } from "./event-topic.ts";

/** The outcome of one event of a topic whose events take effect one by one. */
export type OneOutcome = "applied" | "duplicate" | "refused" | { readonly rejected: ErrorCode; readonly message: string };

/** The result of a run, from the outcome of each of its events in their order. */
export function resultOfEach(events: readonly { readonly offset: string }[], outcomes: readonly OneOutcome[]): RunResult {
  const count = (outcome: OneOutcome) => outcomes.filter((each) => each === outcome).length;
  const rejected = outcomes.flatMap((outcome, place): Rejected[] => {
    const event = events[place];
    return typeof outcome === "string" || event === undefined
      ? []
      : [{ offset: event.offset, code: outcome.rejected, message: outcome.message }];
  });
  const taken = outcomes.flatMap((outcome, place) => {
    const event = events[place];
    return typeof outcome !== "string" || event === undefined ? [] : [{ offset: event.offset, outcome }];
  });
  return { applied: count("applied"), duplicates: count("duplicate"), refused: count("refused"), rejected, taken };
}
