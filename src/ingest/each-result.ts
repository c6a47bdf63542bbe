import type { ErrorCode } from "../base/errors.ts";
import type { Rejected, RunResult } from "./event-topic.ts";

/** What became of one event that is done on its own. */
export type OneOutcome = "applied" | "duplicate" | "refused" | { readonly rejected: ErrorCode; readonly message: string };

/** The outcomes of a run's events as the run's result. */
export function resultOfEach(events: readonly { readonly offset: string }[], outcomes: readonly OneOutcome[]): RunResult {
  const count = (outcome: OneOutcome) => outcomes.filter((one) => one === outcome).length;
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
