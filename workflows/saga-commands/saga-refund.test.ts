import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "@temporalio/worker";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { operatorActSignal } from "../../src/contract/operator-acts.ts";
import { refundStatusQuery, refundStep } from "../../src/contract/refunds.ts";
import { paymentReplySignal, refundAskedSignal, SAGA_REFUND, type SagaPaymentRequest } from "../../src/contract/saga-commands.ts";
import type { StuckNote } from "../../src/store/orders/orders.ts";
import { startTimeSkipping, type TimeSkipping } from "../../test/support/time-skipping.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";

const MINUTE_MS = 60_000;
let skipping: TimeSkipping;

beforeAll(async () => {
  skipping = await startTimeSkipping();
});
afterAll(() => skipping.close());

const paymentOf = (orderId: string): SagaPaymentRequest => ({
  orderId,
  userId: "ann",
  amount: "10.00",
  currency: "RUB",
  correlationId: "test",
});
const handleOf = (orderId: string) => skipping.env.client.workflow.getHandle(workflowIdOf(orderId));
const workflowIdOf = (orderId: string) => `refund/${orderId}/saga-payment`;

/** Runs the workflow of a REFUND to its end with these activities; returns its outcome. */
async function runRefund(orderId: string, activities: object): Promise<unknown> {
  const { env } = skipping;
  const workflowId = workflowIdOf(orderId);
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: workflowId,
    workflowBundle: { codePath: await buildWorkflowBundle(inject("cacheDir")) },
    activities,
    maxCachedWorkflows: 0,
    maxConcurrentWorkflowTaskExecutions: 1,
  });
  return worker.runUntil(async () => {
    const handle = await env.client.workflow.start("sagaRefund", { workflowId, taskQueue: workflowId, args: [paymentOf(orderId)] });
    return handle.result() as Promise<unknown>;
  });
}

test("a REFUND that nobody answers is shown and asked for again, at longer and longer intervals, until it is answered", async () => {
  const { env } = skipping;
  const orderId = "unanswered";
  const askedAtMs: number[] = [];
  const notes: StuckNote[] = [];
  const fromMs = await env.currentTimeMs();
  const outcome = await runRefund(orderId, {
    async askForRefundAgain(asked: SagaPaymentRequest) {
      expect(asked).toEqual(paymentOf(orderId));
      askedAtMs.push(await env.currentTimeMs());
      if (askedAtMs.length === 4) await handleOf(orderId).signal(paymentReplySignal, { status: "SUCCEEDED" });
    },
    noteStuck: async (note: StuckNote) => void notes.push(note),
  });
  expect(outcome).toEqual({ refundId: SAGA_REFUND, status: "done" });
  const restsMs = askedAtMs.map((atMs, place) => atMs - (askedAtMs[place - 1] ?? fromMs));
  expect(restsMs.map((ms) => Math.round(ms / MINUTE_MS))).toEqual([3, 6, 12, 24]);
  const step = refundStep(SAGA_REFUND);
  expect(notes[0]).toEqual({ orderId, step, reason: expect.stringContaining("has not answered") as string });
  expect(notes.at(-1)).toEqual({ orderId, was: step, reason: "" });
});

test("a REFUND that is sent once more while the answer to the one before is taken in has an answer of its own", async () => {
  const orderId = "late";
  let asked = 0;
  await runRefund(orderId, {
    async askForRefundAgain() {
      asked += 1;
      await handleOf(orderId).signal(paymentReplySignal, { status: "SUCCEEDED" });
    },
    // The second REFUND is sent just while the first SUCCEEDED is being noted.
    async noteStuck({ reason }: StuckNote) {
      if (reason === "" && asked === 1) await handleOf(orderId).signal(refundAskedSignal);
    },
  });
  expect(asked).toBe(2);
});

test("an operator's decision that comes while a REFUND is sent again is not lost", async () => {
  const orderId = "decided";
  const settled: unknown[] = [];
  let asked = 0;
  await runRefund(orderId, {
    async askForRefundAgain() {
      asked += 1;
      if (asked !== 2) return;
      const act = { act: "settle", reason: "paid by transfer", actor: "operator:ann", step: refundStep(SAGA_REFUND) } as const;
      await handleOf(orderId).signal(operatorActSignal, act);
      // Long enough for the decision to reach the workflow while this activity still runs.
      await sleep(9_000);
    },
    noteStuck: async () => {},
    settleByHand: async (given: unknown) => void settled.push(given),
  });
  expect([asked, settled.length]).toEqual([2, 1]);
});

// The time-skipping server advises no new run by itself, so the second run is started as the first would start it.
test("a run that goes on for another one shows what was stuck, and is answered", async () => {
  const { env } = skipping;
  const orderId = "carried";
  const workflowId = workflowIdOf(orderId);
  const notes: StuckNote[] = [];
  let asked = 0;
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: workflowId,
    workflowBundle: { codePath: await buildWorkflowBundle(inject("cacheDir")) },
    activities: {
      askForRefundAgain: async () => {
        asked += 1;
      },
      noteStuck: async (note: StuckNote) => void notes.push(note),
    },
  });
  await worker.runUntil(async () => {
    const carried = {
      restMs: 60 * MINUTE_MS,
      answers: [],
      refusal: "the payment service refused",
      stuckFor: "the payment service refused",
    };
    const handle = await env.client.workflow.start("sagaRefund", {
      workflowId,
      taskQueue: workflowId,
      args: [paymentOf(orderId), carried],
    });
    expect(await handle.query(refundStatusQuery)).toMatchObject({ stuck: refundStep(SAGA_REFUND), waitingFor: carried.stuckFor });
    await handle.signal(paymentReplySignal, { status: "SUCCEEDED" });
    expect(await handle.result()).toEqual({ refundId: SAGA_REFUND, status: "done" });
  });
  expect(asked).toBe(0);
  expect(notes).toEqual([{ orderId, was: refundStep(SAGA_REFUND), reason: "" }]);
});
