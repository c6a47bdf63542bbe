import type { OrderSagaInput, OrderToCreate } from "../../src/contract/orders.ts";
import {
  captureOrderOperation,
  holdOrderOperation,
  orderHoldId,
  releaseOrderOperation,
  type OrderOfLines,
} from "../../src/domain/ledger/hold-operations.ts";
import { doneOrThrow } from "../../src/store/ledger/done-or-throw.ts";
import { createPauseCheck } from "../../src/store/operators/pauses.ts";
import {
  beginCompensation,
  changeOrderState,
  createOrder,
  noteStuck,
  settleByHand,
  type HandSettlement,
  type NewOrder,
  type OrderFailure,
  type OrderStanding,
  type StuckNote,
} from "../../src/store/orders/orders.ts";
import { getHold } from "../../src/store/reservations/holds.ts";
import type { ActivityDeps } from "../activity-deps.ts";
import type { RefreshOrderCache } from "../beside/order-cache.ts";
import { currentWorkflow } from "../execution.ts";
import { concernedBy, refuseWhilePaused } from "../pausing.ts";
import { CAPTURED, HELD, orderOperation } from "./order-operations.ts";
import { createPayAtOnce } from "./pay-at-once.ts";

/** The steps of an order and their compensations. Each is safe to retry: its key is made of the workflow's id and the step's name. */
export function createOrderActivities({
  db,
  ledger,
  tellOrderEnd = () => {},
  payAtOnce: payment = createPayAtOnce({ db, ledger, tellOrderEnd }),
  refreshOrderCache = () => {},
}: Pick<ActivityDeps, "db" | "ledger" | "tellOrderEnd" | "payAtOnce"> & { readonly refreshOrderCache?: RefreshOrderCache }) {
  const pauseFor = createPauseCheck(db);

  return {
    /**
     * Writes the order's row as PENDING, STARTED, unless it is there. With `payAtOnce` its money is held and captured in the same statement
     * where nothing stands in the way: no pause, no other state, enough funds. Whatever does is left to the steps that follow, which find
     * what was decided under their own keys. Returns the row's standing: new, paid, or as another run or request left it.
     */
    async createOrder({ payAtOnce, ...order }: OrderToCreate): Promise<OrderStanding> {
      const paid = payAtOnce === true ? await payment.pay(order, currentWorkflow()) : undefined;
      return paid ?? createOrder(db, newOrder(order));
    },

    /** Holds all lines, and the order goes to PAYMENT_PENDING in the same statement. Throws: INSUFFICIENT_FUNDS, ORDER_STATE_CONFLICT. */
    async holdOrder({ order, expiresAt }: { readonly order: OrderSagaInput; readonly expiresAt: string }): Promise<void> {
      const change = { ...HELD, orderId: order.orderId };
      doneOrThrow(
        await ledger.post(
          holdOrderOperation({ ...operationOf(order, "hold"), expiresAt, requestHash: order.requestHash, orderChange: change }),
        ),
      );
    },

    /** Turns the held money into revenue, and the order is COMPLETED and CONFIRMED in the same statement. Throws: PAUSED, ORDER_STATE_CONFLICT, ALREADY_RELEASED, RESERVATION_EXPIRED. */
    async captureOrder(order: OrderSagaInput): Promise<void> {
      refuseWhilePaused(await pauseFor(concernedBy(order)));
      const change = { ...CAPTURED, orderId: order.orderId };
      doneOrThrow(await ledger.post(captureOrderOperation({ ...operationOf(order, "capture"), orderChange: change })));
      refreshOrderCache(order.orderId);
    },

    /** The card is authorised, and the order waits for its capture. Throws: ORDER_STATE_CONFLICT, ORDER_NOT_FOUND. */
    async awaitCapture({ orderId }: { readonly orderId: string }): Promise<void> {
      await changeOrderState(db, { orderId, from: "STARTED", to: "PAYMENT_PENDING" });
    },

    /**
     * Fences the order: from here on no late creation, hold or capture can take effect.
     * An order whose capture came first stays COMPLETED, and the returned standing says so.
     */
    beginCompensation: ({ order, failure }: { readonly order: OrderSagaInput; readonly failure: OrderFailure }): Promise<OrderStanding> =>
      beginCompensation(db, newOrder(order), failure),

    /**
     * Releases the order's hold to the wallet; does nothing when nothing is held. To be called after beginCompensation only: before the
     * fence a hold could still come. Throws: ALREADY_CONFIRMED when the hold was captured, which the fence makes impossible.
     */
    async releaseOrder(order: OrderSagaInput): Promise<void> {
      const [firstLine] = order.lines;
      if (firstLine === undefined) return;
      // One operation holds all lines, so all their holds have the state of the first.
      const hold = await getHold(db, orderHoldId(order.orderId, firstLine.lineNo));
      if (hold === undefined || hold.status === "released" || hold.status === "expired") return;
      doneOrThrow(await ledger.post(releaseOrderOperation(operationOf(order, "release"))));
    },

    /** Ends the compensation: the order is FAILED and CANCELLED, its row stays. Throws: ORDER_STATE_CONFLICT, ORDER_NOT_FOUND. */
    async cancelOrder({ orderId }: { readonly orderId: string }): Promise<void> {
      await changeOrderState(db, { orderId, from: "COMPENSATING", to: "FAILED" });
      refreshOrderCache(orderId);
    },

    /** Notes in the order's row, and publishes to orders.events, which step is past its fast retries; without a step, that no step is. */
    async noteStuck(input: StuckNote): Promise<void> {
      await noteStuck(db, input);
      refreshOrderCache(input.orderId);
    },

    /** Notes in the order's row how an operator ended a compensation. Safe to retry: the same note is written once. */
    settleByHand: (input: HandSettlement): Promise<void> => settleByHand(db, input),
  };
}

function newOrder(order: OrderSagaInput): NewOrder {
  return { ...order, workflowId: currentWorkflow().workflowId };
}

function operationOf(order: OrderSagaInput, step: "hold" | "capture" | "release"): OrderOfLines {
  return orderOperation(order, currentWorkflow(), step);
}
