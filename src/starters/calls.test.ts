import { setTimeout as sleep } from "node:timers/promises";
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, WorkflowUpdateFailedError } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { describe, expect, it } from "vitest";
import { SILENT_LOG } from "../adapters/log.ts";
import { createTemporalBreaker } from "../adapters/temporal/temporal-breaker.ts";
import type { DomainError } from "../base/errors.ts";
import type { OrderSagaInput } from "../contract/orders.ts";
import { createStarters, type Starters } from "./index.ts";

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

// As a native connection behaves when nobody answers: it goes on trying, whatever deadline it was given.
const never = () => new Promise<never>(() => {});
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

const silent = {
  withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
  workflow: { start: never, executeUpdateWithStart: never, getHandle: () => ({ query: never, executeUpdate: never, result: never }) },
} as unknown as Client;

describe("the breaker towards Temporal", () => {
  const OPEN_MS = 300;
  /** Starters over a Temporal whose calls, and whose word on itself, end as `answer` and `self` say. */
  function guarded() {
    const asked = { calls: 0, answer: never as () => Promise<unknown>, self: never as () => Promise<unknown> };
    const ask = () => {
      asked.calls += 1;
      return asked.answer();
    };
    const client = {
      withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
      workflow: { start: ask, getHandle: () => ({ query: ask, executeUpdate: ask, signal: ask }) },
      workflowService: { getSystemInfo: () => asked.self() },
    } as unknown as Client;
    const breaker = createTemporalBreaker({ probeMs: 40, log: SILENT_LOG, openMs: OPEN_MS });
    return { asked, breaker, starters: createStarters({ client, eager: false, deadlineMs: 40, breaker }) };
  }
  const order = { orderId: "o", lines: [], totalMinor: "1", currency: "RUB" } as unknown as OrderSagaInput;
  const errorOf = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      (error: unknown) => error as DomainError,
    );

  it("refuses orders at once after five that it did not answer, with the time to come again, and lets one try afterwards", async () => {
    const { asked, breaker, starters } = guarded();
    for (let n = 0; n < 5; n += 1) expect(await errorOf(starters.startOrder(order))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect([breaker.state(), asked.calls]).toEqual(["open", 5]);
    const startedMs = performance.now();
    const refused = await errorOf(starters.startOrder(order));
    expect(refused).toMatchObject({ code: "UNAVAILABLE", details: { retryAfterMs: expect.stringMatching(/^\d+$/) as string } });
    expect(await errorOf(starters.confirmReservation("r", { requestKey: "k" }))).toMatchObject({ code: "UNAVAILABLE" });
    expect(await errorOf(starters.orderStatus("o"))).toMatchObject({ code: "UNAVAILABLE" });
    expect(performance.now() - startedMs).toBeLessThan(30);
    expect(asked.calls).toBe(5);
    await sleep(OPEN_MS);
    const probes = await Promise.all(Array.from({ length: 10 }, () => errorOf(starters.startOrder(order))));
    expect(probes.filter((error) => error?.code === "DEADLINE_EXCEEDED")).toHaveLength(1);
    expect([breaker.state(), asked.calls]).toEqual(["open", 6]);
    await sleep(OPEN_MS);
    asked.answer = async () => ({});
    expect(await errorOf(starters.startOrder(order))).toBeUndefined();
    expect(breaker.state()).toBe("closed");
  });

  it.each<[string, (starters: Starters) => Promise<unknown>]>([
    ["that are unreachable", (starters) => starters.startOrder(order)],
    ["to reservations", (starters) => starters.confirmReservation("r", { requestKey: "k" })],
    ["of what a workflow says", (starters) => starters.orderStatus("o")],
    ["to operators' acts", (starters) => starters.actOnOrder("o", { act: "retry" } as never)],
  ])("counts five answers in a row %s", async (_name, call) => {
    const { asked, breaker, starters } = guarded();
    asked.answer = () => Promise.reject(grpc(14));
    for (let n = 0; n < 5; n += 1) expect(await errorOf(call(starters))).toMatchObject({ code: "UNAVAILABLE" });
    expect(breaker.state()).toBe("open");
  });

  it("counts an update that is late where the server itself is silent, and not where it answers: then a worker is late", async () => {
    const { asked, breaker, starters } = guarded();
    asked.self = async () => ({});
    for (let n = 0; n < 6; n += 1)
      expect(await errorOf(starters.confirmReservation("r", { requestKey: "k" }))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(breaker.state()).toBe("closed");
    asked.self = () => Promise.reject(grpc(14));
    for (let n = 0; n < 5; n += 1) await errorOf(starters.confirmReservation("r", { requestKey: "k" }));
    expect(breaker.state()).toBe("open");
  });

  it.each([
    ["an id that is taken", new WorkflowExecutionAlreadyStartedError("taken", "order/o", "orderSaga")],
    ["a caller that asks too much", grpc(8)],
    ["a workflow that is not there", grpc(5)],
    ["a workflow that is closing", grpc(9)],
  ])("does not count %s", async (_name, answer) => {
    const { asked, breaker, starters } = guarded();
    asked.answer = () => Promise.reject(answer);
    for (let n = 0; n < 10; n += 1) await errorOf(starters.startOrder(order));
    expect([breaker.state(), asked.calls]).toEqual(["closed", 10]);
  });
});

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
