import { ActivityFailure, ApplicationFailure, CancelledFailure, RetryState, TimeoutFailure, TimeoutType } from "@temporalio/common";
import { afterEach, describe, expect, it, vi } from "vitest";
import { steps, type enduringSteps } from "../activity-proxies.ts";
import { showStuck } from "../search-attributes.ts";
import { createCompensations, failureOf, isFinalRefusal, withoutEnd, type Parking } from "./compensation.ts";

vi.mock("../search-attributes.ts", () => ({ showStuck: vi.fn() }));
afterEach(() => vi.clearAllMocks());

const failed = (cause: Error) => new ActivityFailure("failed", "captureOrder", "1", RetryState.MAXIMUM_ATTEMPTS_REACHED, "worker", cause);
const away = failed(ApplicationFailure.create({ type: "UNAVAILABLE", message: "away" }));
const refused = failed(ApplicationFailure.nonRetryable("expired", "RESERVATION_EXPIRED"));

describe("compensations", () => {
  it("run one after the other, the last registered first, each once", async () => {
    const done: string[] = [];
    const compensations = createCompensations();
    for (const name of ["first", "second", "third"])
      compensations.add({
        name,
        remote: false,
        reversesMinor: () => undefined,
        undo: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          done.push(`${name} ended`);
        },
      });
    expect(compensations.plan("RUB")).toEqual([{ step: "third" }, { step: "second" }, { step: "first" }]);
    const undoing = (name: string) => void done.push(`${name} began`);
    const parking = { progress: { undoing } } as unknown as Parking;
    await compensations.run(parking);
    expect(done).toEqual(["third began", "third ended", "second began", "second ended", "first began", "first ended"]);
    await compensations.run(parking);
    expect(done).toHaveLength(6);
  });

  it("stand in the plan until they are done", async () => {
    const compensations = createCompensations();
    const plans: unknown[] = [];
    for (const name of ["first", "second"])
      compensations.add({
        name,
        remote: false,
        reversesMinor: () => "5",
        undo: async () => void plans.push(compensations.plan("RUB").map(({ step }) => step)),
      });
    await compensations.run({ progress: { undoing: () => {} } } as unknown as Parking);
    expect(plans).toEqual([["second", "first"], ["first"]]);
    expect(compensations.plan("RUB")).toEqual([]);
  });
});

describe("a step that must not be given up", () => {
  const ways = (answers: readonly (Error | string)[]) => {
    const asked: ("fast" | "enduring")[] = [];
    const step = async (by: typeof steps | typeof enduringSteps): Promise<string> => {
      asked.push(by === steps ? "fast" : "enduring");
      const answer = answers[asked.length - 1];
      if (answer instanceof Error) throw answer;
      return answer ?? "";
    };
    return { asked, step };
  };

  it("is shown as stuck from its fast retries' end to its success", async () => {
    const { asked, step } = ways([away, "done"]);
    expect(await withoutEnd(step)).toBe("done");
    expect(asked).toEqual(["fast", "enduring"]);
    expect(vi.mocked(showStuck).mock.calls).toEqual([[true], [false]]);
  });

  it("is not asked again after a refusal, and is then not stuck any more", async () => {
    await expect(withoutEnd(ways([refused]).step)).rejects.toBe(refused);
    expect(showStuck).not.toHaveBeenCalled();
    await expect(withoutEnd(ways([away, refused]).step)).rejects.toBe(refused);
    expect(vi.mocked(showStuck).mock.lastCall).toEqual([false]);
  });

  it("is asked again when the SDK dropped it, as a worker does that has lost its task", async () => {
    const { asked, step } = ways([failed(new CancelledFailure("dropped")), "done"]);
    expect(await withoutEnd(step)).toBe("done");
    expect(asked).toEqual(["fast", "enduring"]);
  });
});

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
