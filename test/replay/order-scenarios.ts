import { cancelOrderUpdate, type OrderSagaInput, type OrderSagaStatus } from "../../src/contract/orders.ts";
import { beginPause, endPause } from "../../src/store/operators/pauses.ts";
import { getOrder } from "../../src/store/orders/orders.ts";
import { reserveRefund } from "../../src/store/orders/refunds.ts";
import { until } from "../support/until.ts";
import { order, runOrder, untilEnded, type Recording, type Scenario } from "./recording.ts";

const byCard = (orderId: string): OrderSagaInput => ({
  ...order(orderId),
  paymentMethod: "card",
  card: { cardToken: "recorded-token", last4: "4242", brand: "visa" },
  compensationFastRetries: 0,
});

/** Starts an order by card, once its provider was told how to behave, and answers with its workflow. */
async function start({ starters }: Recording, orderId: string): Promise<string> {
  return (await starters.startOrder(byCard(orderId))).workflowId;
}

const untilShows = ({ starters }: Recording, orderId: string, holds: (status: OrderSagaStatus) => boolean) =>
  until(`${orderId} shows it`, async () => {
    const status = await starters.orderStatus(orderId);
    return status !== undefined && holds(status);
  });

async function stuck(recording: Recording, orderId: string): Promise<string> {
  recording.psp.fail(orderId, "capture", ["declined"]);
  recording.psp.fail(orderId, "cancel", ["away"], true);
  const workflowId = await start(recording, orderId);
  await untilShows(recording, orderId, (status) => status.stuck !== undefined);
  return workflowId;
}

async function pausedOrder(recording: Recording, input: OrderSagaInput): Promise<string> {
  const target = { scope: "user", subject: input.userId } as const;
  await recording.fund(input.userId, 10_000n);
  await beginPause(recording.db, { ...target, reason: "recorded for the replay test", pausedBy: "recording" });
  const { workflowId } = await recording.starters.startOrder(input);
  await untilShows(recording, input.orderId, ({ waitingFor }) => waitingFor !== undefined);
  await endPause(recording.db, target);
  return untilEnded(recording, workflowId);
}

async function refund(recording: Recording, orderId: string, refundId: string, amountMinor: bigint): Promise<string> {
  const { db, starters } = recording;
  const stored = await getOrder(db, orderId);
  if (stored === undefined) throw new Error(`${orderId} is not there`);
  const origin = { caller: "recording", correlationId: `recording-${refundId}` };
  const { lines } = await reserveRefund(db, { refundId, orderId, amountMinor, reason: "recorded", requestHash: refundId, ...origin });
  const { workflowId } = await starters.startRefund({
    refundId,
    orderId,
    userId: stored.userId,
    currency: stored.currency,
    amountMinor: amountMinor.toString(),
    lines,
    paymentMethod: stored.paymentMethod === "card" ? "card" : "wallet",
    reason: "recorded",
    ...origin,
  });
  return untilEnded(recording, workflowId);
}

/** The paths of orders by card, of pauses, of what is stuck and of refunds. */
export const ORDER_SCENARIOS: Readonly<Record<string, Scenario>> = {
  "card-completed": async (recording) => untilEnded(recording, await start(recording, "card-completed")),
  async "card-declined"(recording) {
    recording.psp.fail("card-declined", "authorise", ["declined"]);
    return untilEnded(recording, await start(recording, "card-declined"));
  },
  async "card-completed-after-a-lost-capture"(recording) {
    recording.psp.fail("card-lost-capture", "capture", ["lost", "away", "away"]);
    return untilEnded(recording, await start(recording, "card-lost-capture"));
  },
  async "card-cancelled-while-waiting-then-refunded"(recording) {
    const orderId = "card-cancelled-waiting";
    recording.psp.fail(orderId, "capture", ["lost"], true);
    const workflowId = await start(recording, orderId);
    await untilShows(recording, orderId, ({ waitingFor }) => waitingFor !== undefined);
    await recording.client.workflow.getHandle(workflowId).executeUpdate(cancelOrderUpdate, { args: [{ reason: "recorded" }] });
    return untilEnded(recording, workflowId);
  },
  async "card-cancelled-natively-while-waiting"(recording) {
    const orderId = "card-cancelled-natively";
    recording.psp.fail(orderId, "authorise", ["away"], true);
    const workflowId = await start(recording, orderId);
    await untilShows(recording, orderId, ({ waitingFor }) => waitingFor !== undefined);
    await recording.client.workflow.getHandle(workflowId).cancel();
    return untilEnded(recording, workflowId);
  },
  async "card-past-its-deadline"(recording) {
    const orderId = "card-past-deadline";
    recording.psp.fail(orderId, "authorise", ["away"], true);
    const workflowId = await start(recording, orderId);
    await untilShows(recording, orderId, ({ waitingFor }) => waitingFor !== undefined);
    await recording.starters.advanceOrder(orderId, 3_600_000);
    return untilEnded(recording, workflowId);
  },
  async "card-stuck-then-retried"(recording) {
    const orderId = "card-stuck-retried";
    const workflowId = await stuck(recording, orderId);
    const act = { act: "retry", reason: "recorded", actor: "recording" } as const;
    await recording.starters.actOnOrder(orderId, act);
    recording.psp.mend(orderId);
    await until("the order has ended", async () => {
      await recording.starters.actOnOrder(orderId, act);
      return (await recording.starters.orderStatus(orderId))?.stuck === undefined;
    });
    return untilEnded(recording, workflowId);
  },
  async "card-stuck-then-settled"(recording) {
    const orderId = "card-stuck-settled";
    const workflowId = await stuck(recording, orderId);
    await recording.starters.actOnOrder(orderId, { act: "settle", reason: "recorded", actor: "recording" });
    return untilEnded(recording, workflowId);
  },
  "order-paused-then-completed": (recording) => pausedOrder(recording, order("paused")),
  "card-paused-then-completed": (recording) => pausedOrder(recording, byCard("card-paused")),
  async "refund-of-a-wallet"(recording) {
    await runOrder(recording, "refunded", 10_000n);
    return refund(recording, "refunded", "refund-of-a-wallet", 8_000n);
  },
  async "refund-of-a-card"(recording) {
    await untilEnded(recording, await start(recording, "card-refunded"));
    return refund(recording, "card-refunded", "refund-of-a-card", 10_000n);
  },
  async "refund-that-the-provider-refuses"(recording) {
    await untilEnded(recording, await start(recording, "card-refund-refused"));
    recording.psp.fail("card-refund-refused", "refund", ["declined"]);
    return refund(recording, "card-refund-refused", "refund-refused", 1_000n);
  },
};
