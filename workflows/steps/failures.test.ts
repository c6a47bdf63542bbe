import { ActivityFailure, ApplicationFailure, RetryState, TimeoutFailure, TimeoutType } from "@temporalio/common";
import { describe, expect, it } from "vitest";
import { failureOf, isFinalRefusal } from "./failures.ts";

const failed = (cause: Error) => new ActivityFailure("failed", "captureOrder", "1", RetryState.MAXIMUM_ATTEMPTS_REACHED, "worker", cause);
const away = failed(ApplicationFailure.create({ type: "UNAVAILABLE", message: "away" }));
const refused = failed(ApplicationFailure.nonRetryable("expired", "RESERVATION_EXPIRED"));

describe("what a workflow tells of a failure", () => {
  it("is the catalogue's code and words of a refusal", () => {
    expect(failureOf(refused)).toEqual({ code: "RESERVATION_EXPIRED", message: "expired" });
    expect(isFinalRefusal(refused)).toBe(true);
    expect(isFinalRefusal(away)).toBe(false);
  });

  it("is DEADLINE_EXCEEDED for a step that did not answer, whose outcome is not known", () => {
    const timedOut = failed(new TimeoutFailure("no answer", undefined, TimeoutType.START_TO_CLOSE));
    expect(failureOf(timedOut).code).toBe("DEADLINE_EXCEEDED");
    expect(isFinalRefusal(timedOut)).toBe(false);
  });
});
