import { ActivityFailure, ApplicationFailure, CancelledFailure, RetryState } from "@temporalio/common";
import { afterEach, describe, expect, it, vi } from "vitest";
import { steps, type enduringSteps } from "../activity-proxies.ts";
import { showStuck } from "../search-attributes.ts";
import { withoutEnd } from "./endless.ts";

vi.mock("../search-attributes.ts", () => ({ showStuck: vi.fn() }));
afterEach(() => vi.clearAllMocks());

const failed = (cause: Error) => new ActivityFailure("failed", "captureOrder", "1", RetryState.MAXIMUM_ATTEMPTS_REACHED, "worker", cause);
const away = failed(ApplicationFailure.create({ type: "UNAVAILABLE", message: "away" }));
const refused = failed(ApplicationFailure.nonRetryable("expired", "RESERVATION_EXPIRED"));

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
