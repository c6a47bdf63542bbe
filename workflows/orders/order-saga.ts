import { CancellationScope, CancelledFailure, isCancellation } from "@temporalio/workflow";
import { ORDER_HOLD_TTL_MS } from "../../src/contract/order-times.ts";
import type { CardPayment, OrderOutcome, OrderSagaInput } from "../../src/contract/orders.ts";
import { isFinal } from "../../src/domain/orders/order-states.ts";
import { steps } from "../activity-proxies.ts";
import { showSagaState } from "../search-attributes.ts";
import { seeThrough } from "../steps/endless.ts";
import { failureOf, type Failure } from "../steps/failures.ts";
import { createCardPayment } from "./card-payment.ts";
import { createCompensations, insist } from "./compensation.ts";
import { createSagaPayment } from "./external-payment.ts";
import { createSagaClock } from "./order-clock.ts";
import { createOrderProgress } from "./order-progress.ts";
import { createSagaWaits } from "./order-waits.ts";
import type { Saga } from "./saga.ts";

/**
 * Runs an order to a definite end: created and paid (COMPLETED), or everything undone (FAILED). The capture is the pivot: a cancellation
 * before it undoes the order, a later one changes nothing.
 */
export async function orderSaga(order: OrderSagaInput): Promise<OrderOutcome> {
  const clock = createSagaClock();
  const compensations = createCompensations();
  const progress = createOrderProgress(order, clock, () => compensations.plan(order.currency));
  const saga: Saga = { order, progress, compensations, clock, waits: createSagaWaits(order, progress, clock) };
  try {
    const known = await createAndPay(saga);
    if (known !== undefined) return await progress.finish(known);
  } catch (error) {
    return CancellationScope.nonCancellable(() => undo(saga, reasonOf(error, progress.cancelReason())));
  }
  return progress.finish({ sagaState: "COMPLETED", status: "CONFIRMED" });
}

type Outcome = Omit<OrderOutcome, "orderId">;

const OTHER_REQUEST = {
  sagaState: "FAILED",
  status: "CANCELLED",
  failureCode: "IDEMPOTENCY_CONFLICT",
  failureMessage: "the order's id belongs to another request",
} as const;

function createAndPay(saga: Saga): Promise<Outcome | undefined> {
  const { card, paidBy } = saga.order;
  if (card !== undefined) return createAndPayByCard(saga, card);
  return paidBy === "saga-commands" ? createAndPayElsewhere(saga) : payByWallet(saga);
}

/**
 * Creates the order, holds the money, captures it: in one step where nothing stands in the way, else one step after the other. The one
 * step needs no `patched`: whatever a history says that it left to do is done by the steps that follow. Returns the outcome where the
 * order has one by its first step, of now or of an earlier run.
 */
async function payByWallet(saga: Saga): Promise<Outcome | undefined> {
  const { order, progress, compensations, waits } = saga;
  let heldMinor: string | undefined;
  // Registered before the first step, not only before the hold: a worker that died in its workflow task may have held the money and left
  // no trace in the history.
  compensations.add({
    name: "give the held money back",
    undo: (by) => by.releaseOrder(order),
    remote: false,
    reversesMinor: () => heldMinor,
  });
  const known = await create(saga, { payAtOnce: true });
  if (known !== undefined) return known;

  progress.enter("hold the money");
  await steps.holdOrder({ order, expiresAt: new Date(Date.now() + ORDER_HOLD_TTL_MS).toISOString() });
  heldMinor = order.totalMinor;
  progress.done("PAYMENT_PENDING", "held");

  progress.enter("capture the money");
  // The hold's answer and a native cancellation may arrive in the same workflow task; the capture below cannot be cancelled any more.
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure("cancelled before the capture");
  // A capture whose answer was lost may have happened: it is repeated until its outcome is known, and never undone on a guess.
  await waits.unpaused(() => {
    progress.pass("capture the money");
    const where = { orderId: order.orderId, name: "capture the money", desk: progress };
    return CancellationScope.nonCancellable(() => seeThrough(where, (by) => by.captureOrder(order)));
  });
  progress.done("COMPLETED", "captured");
  return undefined;
}

async function createAndPayByCard(saga: Saga, card: CardPayment): Promise<Outcome | undefined> {
  const payment = createCardPayment(saga, card);
  return (await create(saga)) ?? payment.pay();
}

async function createAndPayElsewhere(saga: Saga): Promise<Outcome | undefined> {
  const payment = createSagaPayment(saga);
  return (await create(saga)) ?? payment.pay();
}

async function create({ order, progress }: Saga, more: { readonly payAtOnce?: true } = {}): Promise<Outcome | undefined> {
  progress.enter("create the order");
  const created = await steps.createOrder({ ...order, ...more });
  if (created.requestHash !== order.requestHash) return OTHER_REQUEST;
  // Paid at once; or an earlier workflow of this order ended so long ago that Temporal has forgotten it: its outcome stands.
  if (isFinal(created.sagaState)) return outcomeOf(created);
  progress.done("STARTED", "PENDING");
  return undefined;
}

async function undo({ order, progress, compensations, clock }: Saga, failure: Failure): Promise<OrderOutcome> {
  showSagaState("COMPENSATING");
  progress.undoing(`stop the order: ${failure.message}`);
  const parking = { order, progress, clock };
  const standing = await insist("stop the order", (by) => by.beginCompensation({ order, failure }), parking);
  if (standing.requestHash !== order.requestHash) return progress.finish(OTHER_REQUEST);
  if (isFinal(standing.sagaState)) return progress.finish(outcomeOf(standing));
  // The first failure stands in the order's row: a workflow task that was lost and run again may have met another failure.
  const { failureCode = failure.code, failureMessage = failure.message } = standing;
  await compensations.run(parking);
  progress.undoing("cancel the order");
  await insist("cancel the order", (by) => by.cancelOrder({ orderId: order.orderId }), parking);
  return progress.finish({ sagaState: "FAILED", status: "CANCELLED", failureCode, failureMessage });
}

function reasonOf(error: unknown, why: string | undefined): Failure {
  if (!isCancellation(error)) return failureOf(error);
  return { code: "ORDER_CANCELLED", message: why === undefined ? "the order was cancelled" : `the order was cancelled: ${why}` };
}

function outcomeOf({ sagaState, status, failureCode, failureMessage }: Outcome): Outcome {
  return {
    sagaState,
    status,
    ...(failureCode === undefined ? {} : { failureCode }),
    ...(failureMessage === undefined ? {} : { failureMessage }),
  };
}
