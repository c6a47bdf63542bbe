import { type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { describe, expect, it } from "vitest";
import { createStarters } from "./index.ts";

/** Starters over a Temporal whose updates end as listed, the last one for ever. */
function startersOf(answers: readonly unknown[], deadlineMs = 1_000) {
  const updateIds: string[] = [];
  const executeUpdate = async (_update: unknown, { updateId }: { updateId: string }) => {
    const answer = answers[Math.min(updateIds.length, answers.length - 1)];
    updateIds.push(updateId);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const client = { withDeadline: (_deadline: number, work: () => unknown) => work(), workflow: { getHandle: () => ({ executeUpdate }) } };
  return { updateIds, starters: createStarters({ client: client as unknown as Client, eager: false, deadlineMs }) };
}

const failed = (type: string) => new WorkflowUpdateFailedError("Workflow Update failed", ApplicationFailure.nonRetryable("words", type));
const grpc = (code: number, words = "grpc") => Object.assign(new Error(words), { code });
const notReady = grpc(9, "Unable to perform workflow execution update due to unexpected workflow task failure.");
const spokenOut = grpc(9, "The limit on the total number of distinct updates in this workflow has been reached (2000).");
const confirmed = { status: "confirmed" };

describe("an update of a workflow", () => {
  it("is sent again under its own id when the server dropped it with a lost task", async () => {
    const { starters, updateIds } = startersOf([failed("UnprocessedUpdate"), failed("UnprocessedUpdate"), confirmed]);
    expect(await starters.confirmReservation("r", { requestKey: "k" })).toEqual(confirmed);
    expect(updateIds).toHaveLength(3);
    expect(new Set(updateIds).size).toBe(1);
  });

  it("is sent again while the workflow is closing, and is UNAVAILABLE when that does not end", async () => {
    const closing = grpc(8, "Workflow operation can not be applied because workflow is closing.");
    const { starters, updateIds } = startersOf([notReady, closing, confirmed]);
    expect(await starters.cancelOrder("o", "reason")).toEqual(confirmed);
    expect(updateIds).toEqual(["cancel", "cancel", "cancel"]);
    for (const act of ["confirmReservation", "releaseReservation"] as const)
      await expect(startersOf([notReady], 120).starters[act]("r", { requestKey: "k" })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  it("is sent again to the run that goes on with it", async () => {
    const { starters, updateIds } = startersOf([failed("CARRIED_OVER"), confirmed]);
    expect(await starters.confirmReservation("r", { requestKey: "k" })).toEqual(confirmed);
    expect(new Set(updateIds).size).toBe(1);
  });

  it("answers nothing, and at once, when the run takes no more updates", async () => {
    const { starters, updateIds } = startersOf([spokenOut]);
    expect(await starters.confirmReservation("r", { requestKey: "k" })).toBeUndefined();
    expect(updateIds).toHaveLength(1);
  });

  it("is UNAVAILABLE at once, in Temporal's words, when a precondition is not met that no repetition mends", async () => {
    const { starters, updateIds } = startersOf([grpc(9, "Namespace is not active in this cluster.")]);
    const refused = { code: "UNAVAILABLE", message: expect.stringContaining("not active") as string };
    await expect(starters.confirmReservation("r", { requestKey: "k" })).rejects.toMatchObject(refused);
    expect(updateIds).toHaveLength(1);
  });

  it("is given up as UNAVAILABLE when the server drops it to the end of the deadline", async () => {
    const { starters } = startersOf([failed("UnprocessedUpdate")], 120);
    await expect(starters.releaseReservation("r", { requestKey: "k" })).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });

  it("answers nothing when the workflow is not there, has ended, or ended before it answered", async () => {
    for (const error of [new WorkflowNotFoundError("not found", "r", undefined), grpc(5), failed("AcceptedUpdateCompletedWorkflow")]) {
      expect(await startersOf([error]).starters.confirmReservation("r", { requestKey: "k" })).toBeUndefined();
      expect(await startersOf([error]).starters.cancelOrder("o", "reason")).toBeUndefined();
    }
  });

  it("throws the code that the workflow refused with", async () => {
    await expect(startersOf([failed("ALREADY_CONFIRMED")]).starters.confirmReservation("r", { requestKey: "k" })).rejects.toMatchObject({
      code: "ALREADY_CONFIRMED",
      message: "words",
    });
  });

  it.each([
    { status: 14, code: "UNAVAILABLE" },
    { status: 8, code: "UNAVAILABLE" },
    { status: 4, code: "DEADLINE_EXCEEDED" },
    { status: 1, code: "DEADLINE_EXCEEDED" },
  ])("throws $code when Temporal answers with gRPC status $status", async ({ status, code }) => {
    await expect(startersOf([grpc(status)]).starters.cancelOrder("o", "reason")).rejects.toMatchObject({ code });
  });
});

// As a native connection behaves when nobody answers: it goes on trying, whatever deadline it was given.
const never = () => new Promise<never>(() => {});
const silent = {
  withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
  workflow: { start: never, executeUpdateWithStart: never, getHandle: () => ({ query: never, executeUpdate: never, result: never }) },
} as unknown as Client;

describe("the starters of a Temporal that does not answer", () => {
  const starters = createStarters({ client: silent, eager: false, deadlineMs: 100 });

  it.each([
    ["a query", () => starters.orderStatus("o")],
    ["an update", () => starters.cancelOrder("o", "why")],
    ["another update", () => starters.releaseReservation("r", { requestKey: "k" })],
  ])("give up %s at their deadline", async (_what, call) => {
    const startedMs = performance.now();
    await expect(call()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});
