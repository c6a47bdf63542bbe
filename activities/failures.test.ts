import { ApplicationFailureCategory, CancelledFailure, type ApplicationFailure } from "@temporalio/common";
import { MockActivityEnvironment } from "@temporalio/testing";
import { describe, expect, it } from "vitest";
import { DomainError } from "../src/base/errors.ts";
import { retryDelayMs, toApplicationFailure, withFailures } from "./failures.ts";

const failureOf = (error: unknown, attempt = 1) => toApplicationFailure(error, attempt) as ApplicationFailure;

describe("the wait before another try", () => {
  it("is 100, 200 and 400 ms, each 10 % more or less", () => {
    for (const [attempt, baseMs] of [
      [1, 100],
      [2, 200],
      [3, 400],
    ] as const) {
      expect(retryDelayMs(attempt, 0)).toBe(Math.round(baseMs * 0.9));
      expect(retryDelayMs(attempt, 0.5)).toBe(baseMs);
      expect(retryDelayMs(attempt, 0.999999)).toBe(Math.round(baseMs * 1.1));
    }
  });

  it("never passes ten seconds and 10 %, however many tries there were", () => {
    for (const attempt of [8, 20, 2_000, 1e9]) expect(retryDelayMs(attempt, 0.999999)).toBe(11_000);
  });
});

describe("what an activity throws", () => {
  it("is final and carries its code when it is a refusal of the catalogue, and is no incident", () => {
    const failure = failureOf(new DomainError("INSUFFICIENT_FUNDS", "too little", { available: "1.00" }));
    expect(failure).toMatchObject({
      type: "INSUFFICIENT_FUNDS",
      message: "too little",
      nonRetryable: true,
      details: [{ available: "1.00" }],
    });
    expect(failure.category).toBe(ApplicationFailureCategory.BENIGN);
  });

  it.each(["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"] as const)("is worth another try when it is %s", (code) => {
    const failure = failureOf(new DomainError(code), 3);
    expect(failure).toMatchObject({ type: code, nonRetryable: false });
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(360);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(440);
  });

  it("rests as long as an open breaker or the provider asks, within bounds", () => {
    const restOf = (retryAfterMs: string) => failureOf(new DomainError("PSP_UNAVAILABLE", "away", { retryAfterMs }), 1).nextRetryDelay;
    expect(restOf("12000")).toBe(12_000);
    expect(restOf("3600000")).toBe(30_000);
    for (const nothing of ["1", "soon", "-5"]) expect(restOf(nothing)).toBeLessThanOrEqual(110);
  });

  it("is recognised inside what a library wrapped around it, whose own words stay out", () => {
    const wrapped = new Error("Failed query: select secret", { cause: new DomainError("UNAVAILABLE", "the database is not reachable") });
    expect(failureOf(wrapped)).toMatchObject({ type: "UNAVAILABLE", message: "the database is not reachable" });
    const unknown = failureOf(new Error("Failed query: select secret", { cause: new Error("syntax error") }));
    expect(unknown).toMatchObject({ type: "INTERNAL", message: "syntax error", nonRetryable: false });
  });

  it("passes as it is when it is Temporal's own", () => {
    const cancelled = new CancelledFailure("stop");
    expect(toApplicationFailure(cancelled, 1)).toBe(cancelled);
  });

  it("goes this way for every activity of a list", async () => {
    const { refuse } = withFailures({
      async refuse(_input: string): Promise<void> {
        throw new DomainError("ALREADY_CONFIRMED");
      },
    });
    await expect(new MockActivityEnvironment().run(refuse, "x")).rejects.toMatchObject({ type: "ALREADY_CONFIRMED", nonRetryable: true });
  });
});
