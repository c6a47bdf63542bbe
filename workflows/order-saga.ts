import { CancellationScope, CancelledFailure, isCancellation } from "@temporalio/workflow";
import { ORDER_HOLD_TTL_MS, type OrderOutcome, type OrderSagaInput } from "../src/contract/orders.ts";
import { isFinal } from "../src/domain/order-states.ts";
import { steps } from "./activity-proxies.ts";
import { createCompensations, failureOf, withoutEnd, type Compensations, type Failure } from "./compensation.ts";
import { createOrderProgress, type OrderProgress } from "./order-progress.ts";
import { showSagaState } from "./search-attributes.ts";

/**
 * Runs an order to a definite end: created, its money held and captured (COMPLETED), or everything undone (FAILED). The capture
 * is the pivot: before it a cancellation undoes the order, from it on the order is completed.
 */
export async function orderSaga(order: OrderSagaInput): Promise<OrderOutcome> {
  const progress = createOrderProgress(order);
  const compensations = createCompensations();
  try {
    // Before the first step and not before the hold: a worker that died in its task may have held the money and left no trace here.
    compensations.add("give the held money back", () => withoutEnd((by) => by.releaseOrder(order)));
    progress.enter("create the order");
    const created = await steps.createOrder(order);
    if (created.requestHash !== order.requestHash) return await progress.finish(OTHER_REQUEST);
    // A workflow of this order ran before, longer ago than the server remembers: its outcome stands.
    if (isFinal(created.sagaState)) return await progress.finish(outcomeOf(created));
    progress.done("STARTED", "PENDING");

    progress.enter("hold the money");
    await steps.holdOrder({ order, expiresAt: new Date(Date.now() + ORDER_HOLD_TTL_MS).toISOString() });
    progress.done("PAYMENT_PENDING", "held");

    progress.enter("capture the money");
    // A hold may be answered together with a native cancellation; what follows cannot be cancelled any more.
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure("cancelled before the capture");
    // A capture whose answer was lost may have happened, so it is asked for again until the answer is known; it is never undone on a guess.
    await CancellationScope.nonCancellable(() => withoutEnd((by) => by.captureOrder(order)));
    progress.done("COMPLETED", "captured");
  } catch (error) {
    return CancellationScope.nonCancellable(() => undo({ order, progress, compensations, failure: reasonOf(error) }));
  }
  return progress.finish({ sagaState: "COMPLETED", status: "CONFIRMED" });
}

const OTHER_REQUEST = {
  sagaState: "FAILED",
  status: "CANCELLED",
  failureCode: "IDEMPOTENCY_CONFLICT",
  failureMessage: "the order's id belongs to another request",
} as const;

async function undo(saga: {
  order: OrderSagaInput;
  progress: OrderProgress;
  compensations: Compensations;
  failure: Failure;
}): Promise<OrderOutcome> {
  const { order, progress, compensations, failure } = saga;
  showSagaState("COMPENSATING");
  progress.undoing(`stop the order: ${failure.message}`);
  const standing = await withoutEnd((by) => by.beginCompensation({ order, failure }));
  if (standing.requestHash !== order.requestHash) return progress.finish(OTHER_REQUEST);
  if (isFinal(standing.sagaState)) return progress.finish(outcomeOf(standing));
  // The first reason stands in the row: a task that was lost may have found another one the second time.
  const { failureCode = failure.code, failureMessage = failure.message } = standing;
  await compensations.run(progress.undoing);
  progress.undoing("cancel the order");
  await withoutEnd((by) => by.cancelOrder({ orderId: order.orderId }));
  return progress.finish({ sagaState: "FAILED", status: "CANCELLED", failureCode, failureMessage });
}

function reasonOf(error: unknown): Failure {
  return isCancellation(error) ? { code: "ORDER_CANCELLED", message: "the order was cancelled" } : failureOf(error);
}

function outcomeOf({ sagaState, status, failureCode, failureMessage }: Omit<OrderOutcome, "orderId">): Omit<OrderOutcome, "orderId"> {
  return {
    sagaState,
    status,
    ...(failureCode === undefined ? {} : { failureCode }),
    ...(failureMessage === undefined ? {} : { failureMessage }),
  };
}
