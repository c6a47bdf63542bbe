import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "@temporalio/worker";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import {
  operatorActSignal,
  paymentReplySignal,
  refundAskedSignal,
  refundStep,
  SAGA_REFUND,
  type SagaPaymentRequest,
} from "../src/contract/orders.ts";
import type { StuckNote } from "../src/store/orders.ts";
import { startTimeSkipping, type TimeSkipping } from "../test/support/time-skipping.ts";
import { buildWorkflowBundle } from "../workers/workflow-bundle.ts";

const MINUTE_MS = 60_000;
let skipping: TimeSkipping;

beforeAll(async () => {
  skipping = await startTimeSkipping();
});
afterAll(() => skipping.close());

test("a REFUND that nobody answers is shown and asked for again, at longer and longer intervals, until it is answered", async () => {
  const { env } = skipping;
  const workflowId = "refund/unanswered/saga-payment";
  const payment: SagaPaymentRequest = { orderId: "unanswered", userId: "ann", amount: "10.00", currency: "RUB", correlationId: "test" };
  const askedAtMs: number[] = [];
  const notes: StuckNote[] = [];
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: workflowId,
    workflowBundle: { codePath: await buildWorkflowBundle(inject("cacheDir")) },
    activities: {
      async askForRefundAgain(asked: SagaPaymentRequest) {
        expect(asked).toEqual(payment);
        askedAtMs.push(await env.currentTimeMs());
        if (askedAtMs.length === 4) await env.client.workflow.getHandle(workflowId).signal(paymentReplySignal, { status: "SUCCEEDED" });
      },
      noteStuck: async (note: StuckNote) => void notes.push(note),
    },
    maxCachedWorkflows: 0,
    maxConcurrentWorkflowTaskExecutions: 1,
  });
  const fromMs = await env.currentTimeMs();
  const outcome: unknown = await worker.runUntil(async () => {
    const handle = await env.client.workflow.start("sagaRefund", { workflowId, taskQueue: workflowId, args: [payment] });
    return handle.result();
  });
  expect(outcome).toEqual({ refundId: SAGA_REFUND, status: "done" });
  const restsMs = askedAtMs.map((atMs, place) => atMs - (askedAtMs[place - 1] ?? fromMs));
  expect(restsMs.map((ms) => Math.round(ms / MINUTE_MS))).toEqual([3, 6, 12, 24]);
  const step = refundStep(SAGA_REFUND);
  expect(notes[0]).toEqual({ orderId: "unanswered", step, reason: expect.stringContaining("has not answered") as string });
  expect(notes.at(-1)).toEqual({ orderId: "unanswered", was: step, reason: "" });
});

test("a REFUND that is sent once more while the answer to the one before is taken in has an answer of its own", async () => {
  const { env } = skipping;
  const workflowId = "refund/late/saga-payment";
  const payment: SagaPaymentRequest = { orderId: "late", userId: "ann", amount: "10.00", currency: "RUB", correlationId: "test" };
  const handle = () => env.client.workflow.getHandle(workflowId);
  let asked = 0;
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: workflowId,
    workflowBundle: { codePath: await buildWorkflowBundle(inject("cacheDir")) },
    activities: {
      async askForRefundAgain() {
        asked += 1;
        if (asked === 1) await handle().signal(paymentReplySignal, { status: "SUCCEEDED" });
        if (asked === 2) await handle().signal(paymentReplySignal, { status: "SUCCEEDED" });
      },
      // The first yes is being noted: the order's late yes comes just now.
      async noteStuck({ reason }: StuckNote) {
        if (reason === "" && asked === 1) await handle().signal(refundAskedSignal);
      },
    },
    maxCachedWorkflows: 0,
    maxConcurrentWorkflowTaskExecutions: 1,
  });
  await worker.runUntil(async () => {
    await env.client.workflow.start("sagaRefund", { workflowId, taskQueue: workflowId, args: [payment] });
    await handle().result();
  });
  expect(asked).toBe(2);
});

test("an operator's decision that comes while a REFUND is sent again is not lost", async () => {
  const { env } = skipping;
  const workflowId = "refund/decided/saga-payment";
  const payment: SagaPaymentRequest = { orderId: "decided", userId: "ann", amount: "10.00", currency: "RUB", correlationId: "test" };
  const settled: unknown[] = [];
  let asked = 0;
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: workflowId,
    workflowBundle: { codePath: await buildWorkflowBundle(inject("cacheDir")) },
    activities: {
      async askForRefundAgain() {
        asked += 1;
        if (asked !== 2) return;
        await env.client.workflow
          .getHandle(workflowId)
          .signal(operatorActSignal, { act: "settle", reason: "paid by transfer", actor: "operator:ann", step: refundStep(SAGA_REFUND) });
        // So long that the workflow hears of the decision while this step is still under way.
        await sleep(9_000);
      },
      noteStuck: async () => {},
      settleByHand: async (given: unknown) => void settled.push(given),
    },
    maxCachedWorkflows: 0,
    maxConcurrentWorkflowTaskExecutions: 1,
  });
  await worker.runUntil(async () => {
    await env.client.workflow.start("sagaRefund", { workflowId, taskQueue: workflowId, args: [payment] });
    await env.client.workflow.getHandle(workflowId).result();
  });
  expect([asked, settled.length]).toEqual([2, 1]);
});
