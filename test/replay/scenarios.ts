import { setTimeout as sleep } from "node:timers/promises";
import { WithStartWorkflowOperation } from "@temporalio/client";
import {
  orderRefundWorkflowId,
  orderWorkflowId,
  reportWorkflowId,
  reservationWorkflowId,
  sagaCommandWorkflowId,
  webhookDeliveryWorkflowId,
} from "../../src/contract/ids.ts";
import { cancelOrderUpdate, type OrderSagaInput } from "../../src/contract/orders.ts";
import type { ReservationInput } from "../../src/contract/reservations.ts";
import { SAGA_REFUND } from "../../src/contract/saga-commands.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { createWebhookStarter } from "../../src/starters/webhooks.ts";
import { beginPause, endPause } from "../../src/store/operators/pauses.ts";
import { insertDeliveries } from "../../src/store/webhooks/webhook-deliveries.ts";
import { createWebhook } from "../../src/store/webhooks/webhooks.ts";
import { ORDER_SCENARIOS } from "./order-scenarios.ts";
import { order, runOrder, untilEnded, WAIT_MS, type RecordedRun, type Recording, type Scenario } from "./recording.ts";

const LONG_MS = 60_000;
const SHORT_MS = 1_500;

const reservation = (reservationId: string, ttlMs: number): ReservationInput => ({
  reservationId,
  userId: `user-of-${reservationId}`,
  serviceId: "cleaning",
  orderId: `order-of-${reservationId}`,
  currency: "RUB",
  amountMinor: "10000",
  ttlMs,
  comment: "recorded for the replay test",
  requestHash: `hash-of-${reservationId}`,
  correlationId: `recording-${reservationId}`,
  caller: "recording",
});

async function place(
  { starters, fund }: Recording,
  reservationId: string,
  ttlMs: number,
  more: Partial<ReservationInput> = {},
): Promise<string> {
  const input = { ...reservation(reservationId, ttlMs), ...more };
  await fund(input.userId, 10_000n);
  await starters.placeReservation(input);
  return reservationWorkflowId(reservationId);
}

/** The events of the recorded batches of purchases. */
export const RECORDED_PURCHASES = ["0", "1"].map((offset) => ({
  offset,
  userId: "buyer",
  amountMinor: "12900",
  currency: "RUB",
  paymentMethod: "credit_card",
  occurredAt: "2026-10-01T09:00:00.000Z",
  serviceId: "music",
}));

/** Every path of orders and reservations, by the name of its recorded history. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  ...ORDER_SCENARIOS,
  "order-paid-at-once": (recording) => runOrder(recording, "paid-at-once", 10_000n),
  async "order-completed"(recording) {
    recording.payInSteps(true);
    const workflowId = await runOrder(recording, "completed", 10_000n);
    recording.payInSteps(false);
    return workflowId;
  },
  "order-insufficient-funds": (recording) => runOrder(recording, "insufficient-funds", 9_999n),
  async "order-completed-after-lost-captures"(recording) {
    recording.loseCaptures(5);
    return runOrder(recording, "lost-captures", 10_000n);
  },
  async "order-cancelled-by-update"(recording) {
    const input = order("cancelled-by-update");
    await recording.fund(input.userId, 10_000n);
    const workflowId = orderWorkflowId(input.orderId);
    // With the start, so that the wish to cancel is there before the first step, whatever the machine's speed.
    const startWorkflowOperation = new WithStartWorkflowOperation("orderSaga", {
      workflowId,
      taskQueue: TASK_QUEUES.orders,
      args: [input],
      workflowIdConflictPolicy: "FAIL",
    });
    await recording.client.workflow.executeUpdateWithStart(cancelOrderUpdate, {
      startWorkflowOperation,
      args: [{ reason: "the buyer changed their mind" }],
    });
    return untilEnded(recording, workflowId);
  },
  async "order-cancelled-natively"(recording) {
    const input = order("cancelled-natively");
    await recording.fund(input.userId, 10_000n);
    const workflowId = orderWorkflowId(input.orderId);
    // The delay lets the cancellation arrive before the first step.
    const handle = await recording.client.workflow.start("orderSaga", {
      workflowId,
      taskQueue: TASK_QUEUES.orders,
      args: [input],
      startDelay: "1 second",
    });
    await handle.cancel();
    return untilEnded(recording, workflowId);
  },
  async "reservation-confirmed"(recording) {
    const workflowId = await place(recording, "confirmed", LONG_MS);
    await recording.starters.confirmReservation("confirmed", { requestKey: "confirm-all" });
    return untilEnded(recording, workflowId);
  },
  async "reservation-part-confirmed-then-expired"(recording) {
    const workflowId = await place(recording, "part-confirmed", SHORT_MS);
    await recording.starters.confirmReservation("part-confirmed", { requestKey: "confirm-part", amountMinor: "4000" });
    return untilEnded(recording, workflowId);
  },
  async "reservation-confirm-refused-then-released"(recording) {
    const workflowId = await place(recording, "confirm-refused", LONG_MS);
    await recording.starters
      .confirmReservation("confirm-refused", { requestKey: "confirm-too-much", amountMinor: "10001" })
      .catch(() => undefined);
    await recording.starters.releaseReservation("confirm-refused", { requestKey: "release-after-refusal" });
    return untilEnded(recording, workflowId);
  },
  async "reservation-released"(recording) {
    const workflowId = await place(recording, "released", LONG_MS);
    await recording.starters.releaseReservation("released", { requestKey: "release" });
    return untilEnded(recording, workflowId);
  },
  "reservation-expired": async (recording) => untilEnded(recording, await place(recording, "expired", SHORT_MS)),
  async "reservation-refused"(recording) {
    const input = reservation("refused", LONG_MS);
    await recording.starters.placeReservation(input).catch(() => undefined);
    return untilEnded(recording, reservationWorkflowId(input.reservationId));
  },
  async "reservation-cancelled-natively"(recording) {
    const workflowId = await place(recording, "cancelled-natively", LONG_MS);
    await sleep(100);
    await recording.client.workflow.getHandle(workflowId).cancel();
    return untilEnded(recording, workflowId);
  },
  async "reservation-extended-then-confirmed"(recording) {
    const workflowId = await place(recording, "extended", LONG_MS);
    await recording.starters.extendReservation("extended", {
      requestKey: "extend",
      ttlMs: 2 * LONG_MS,
      expiresAt: new Date(Date.now() + 2 * LONG_MS).toISOString(),
      caller: "recording",
      correlationId: "recording",
    });
    await recording.starters.confirmReservation("extended", { requestKey: "confirm-extended" });
    return untilEnded(recording, workflowId);
  },
  "reservation-continued-as-new": async (recording) => (await continued(recording, "continued")).first,
  async "reservation-continued-then-released"(recording) {
    const { workflowId } = await continued(recording, "continued-released");
    await recording.starters.releaseReservation("continued-released", { requestKey: "release-continued-released" });
    return untilEnded(recording, workflowId);
  },
  async "reservation-told-then-expired"(recording) {
    return untilEnded(recording, await place(recording, "told", SHORT_MS, { expiringMs: SHORT_MS / 2 }));
  },
  async "reservation-clock-advanced-then-expired"(recording) {
    const workflowId = await place(recording, "clock", LONG_MS, { expiringMs: SHORT_MS });
    const advance = { requestKey: "advance", advanceMs: LONG_MS, caller: "recording", correlationId: "recording" };
    await recording.starters.advanceReservationClock("clock", advance);
    return untilEnded(recording, workflowId);
  },
  async "reservation-paused-then-expired"(recording) {
    const target = { scope: "user", subject: "user-of-paused" } as const;
    await beginPause(recording.db, { ...target, reason: "recorded for the replay test", pausedBy: "recording" });
    const workflowId = await place(recording, "paused", SHORT_MS);
    await sleep(2 * SHORT_MS);
    await endPause(recording.db, target);
    return untilEnded(recording, workflowId);
  },
  async "reservation-started-again"(recording) {
    const workflowId = await place(recording, "started-again", 2 * SHORT_MS);
    await recording.client.workflow.getHandle(workflowId).terminate("recorded for the replay test");
    await recording.starters.restartReservation(reservation("started-again", SHORT_MS));
    return untilEnded(recording, workflowId);
  },
  async "self-audit"(recording) {
    await place(recording, "audited", LONG_MS);
    return scheduled(recording, "selfAudit", []);
  },
  housekeeping: (recording) => scheduled(recording, "housekeeping", [{ outboxKeepMs: 604_800_000 }]),
  async "order-paid-elsewhere"(recording) {
    const workflowId = await startElsewhere(recording, "paid-elsewhere");
    await recording.starters.replyToOrder("paid-elsewhere", { status: "SUCCEEDED", paymentId: "payment-1" });
    return untilEnded(recording, workflowId);
  },
  async "order-refused-elsewhere"(recording) {
    const workflowId = await startElsewhere(recording, "refused-elsewhere");
    await recording.starters.replyToOrder("refused-elsewhere", { status: "FAILED", error: "no funds" });
    return untilEnded(recording, workflowId);
  },
  "order-never-answered-elsewhere": async (recording) =>
    untilEnded(recording, await startElsewhere(recording, "never-answered", { paymentDeadlineMs: SHORT_MS })),
  "order-cancelled-elsewhere": async (recording) => untilEnded(recording, await cancelElsewhere(recording, "cancelled-elsewhere")),
  async "saga-refund-refused-then-settled"(recording) {
    const { starters } = recording;
    const orderId = "refund-refused";
    await untilEnded(recording, await cancelElsewhere(recording, orderId));
    const payment = { orderId, userId: `user-of-${orderId}`, amount: "100.00", currency: "RUB", correlationId: `recording-${orderId}` };
    const untilStuck = async (words: string) => {
      while ((await starters.refundStatus(orderId, SAGA_REFUND))?.waitingFor?.includes(words) !== true) await sleep(50);
    };
    await starters.replyToRefund(payment, { status: "FAILED", error: "the account is closed" });
    await untilStuck("refused");
    await starters.actOnRefund(orderId, SAGA_REFUND, { act: "retry", reason: "recorded", actor: "recording" });
    await untilStuck("asked again");
    await starters.actOnRefund(orderId, SAGA_REFUND, { act: "settle", reason: "recorded", actor: "recording" });
    return untilEnded(recording, orderRefundWorkflowId(orderId, SAGA_REFUND));
  },
  "saga-command-charged": async (recording) => runCommand(recording, "charged", 10_000n),
  "saga-command-refused": async (recording) => runCommand(recording, "refused", 9_999n),
  async "event-batch-loyalty"(recording) {
    const events = (["accrual", "redemption"] as const).map((type, offset) => ({
      offset: String(offset),
      eventId: `t-${offset}`,
      userId: "member",
      type,
      amountMinor: "10",
      currency: "PTS",
      occurredAt: "2026-10-01T09:00:00.000Z",
    }));
    const batch = { kind: "loyalty", topic: "recorded-points", partition: 0, firstOffset: "0", lastOffset: "1", events } as const;
    await recording.starters.runEventBatch(batch, AbortSignal.timeout(WAIT_MS));
    return "events/recorded-points/0/0-1";
  },
  async "event-batch"(recording) {
    const batch = { topic: "recorded", partition: 0, firstOffset: "0", lastOffset: "1", events: RECORDED_PURCHASES };
    await recording.starters.runEventBatch(batch, AbortSignal.timeout(WAIT_MS));
    return "events/recorded/0/0-1";
  },
  async "event-batch-by-its-place"(recording) {
    const place = {
      kind: "purchase",
      topic: "recorded-place",
      partition: 0,
      firstOffset: "0",
      lastOffset: "1",
      incarnation: { clusterId: "recorded", topicId: "recorded" },
      count: RECORDED_PURCHASES.length,
      sha256: "0".repeat(64),
    } as const;
    await recording.starters.runEventBatch(place, AbortSignal.timeout(WAIT_MS));
    return "events/recorded-place/0/0-1";
  },
  async "webhook-delivery"(recording) {
    const webhookId = "wh-recorded";
    const eventId = "event-recorded";
    const { db, client } = recording;
    await createWebhook(db, {
      webhookId,
      url: "https://receiver.example/hook",
      eventTypes: [],
      description: "recorded",
      createdBy: "recording",
      sealedSecret: "sealed",
    });
    const [deliveryId] = await insertDeliveries(db, [{ webhookId, eventId, eventType: "saldo.webhook.test", body: "{}" }]);
    recording.failDeliveries(1);
    const delivery = { webhookId, eventId, deliveryId: String(deliveryId) };
    await createWebhookStarter({ client, deadlineMs: WAIT_MS })(delivery);
    return untilEnded(recording, webhookDeliveryWorkflowId(delivery));
  },
  "close-month": (recording) => closeMonth(recording, "2026-09"),
  async "revenue-report"(recording) {
    await closeMonth(recording, "2026-08");
    return reportWorkflowId("2026-08", 1);
  },
};

/** A reservation whose first run was full after two requests. */
async function continued(recording: Recording, reservationId: string): Promise<{ workflowId: string; first: RecordedRun }> {
  const workflowId = await place(recording, reservationId, LONG_MS, { requestsPerRun: 2 });
  const { runId } = await recording.client.workflow.getHandle(workflowId).describe();
  for (const part of ["first", "second"])
    await recording.starters.confirmReservation(reservationId, { requestKey: `${part}-${reservationId}`, amountMinor: "1000" });
  await recording.client.workflow
    .getHandle(workflowId, runId, { followRuns: false })
    .result()
    .catch(() => undefined);
  return { workflowId, first: { workflowId, runId } };
}

/** Starts an order that another service is paid for, and waits until that is asked. */
async function startElsewhere({ starters }: Recording, orderId: string, more: Partial<OrderSagaInput> = {}): Promise<string> {
  const { workflowId } = await starters.startOrder({ ...order(orderId), paidBy: "saga-commands", ...more });
  while ((await starters.orderStatus(orderId))?.sagaState !== "PAYMENT_PENDING") await sleep(50);
  return workflowId;
}

async function cancelElsewhere(recording: Recording, orderId: string): Promise<string> {
  const workflowId = await startElsewhere(recording, orderId);
  await recording.starters.cancelOrder(orderId, "the buyer changed their mind");
  return workflowId;
}

async function runCommand({ starters, fund }: Recording, sagaId: string, fundsMinor: bigint): Promise<string> {
  const userId = `user-of-saga-${sagaId}`;
  await fund(userId, fundsMinor);
  const input = { sagaId, orderId: sagaId, userId, amountMinor: "10000", currency: "RUB", comment: "recorded", correlationId: "recording" };
  await starters.runSagaCommand({ ...input, command: "CHARGE" }, AbortSignal.timeout(WAIT_MS));
  return sagaCommandWorkflowId(sagaId, "CHARGE");
}

async function scheduled({ client }: Recording, type: string, args: unknown[]): Promise<string> {
  const workflowId = `${type}/recorded`;
  await client.workflow.execute(type, { workflowId, taskQueue: TASK_QUEUES.reports, args });
  return workflowId;
}

async function closeMonth({ client }: Recording, month: string): Promise<string> {
  const workflowId = `close-month/${month}`;
  await client.workflow.execute("closeMonth", { workflowId, taskQueue: TASK_QUEUES.reports, args: [{ month, timeZone: "Europe/Moscow" }] });
  return workflowId;
}
