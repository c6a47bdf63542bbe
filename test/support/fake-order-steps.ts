import { ApplicationFailure } from "@temporalio/common";
import type { Activities } from "../../activities/index.ts";
import type { OrderOutcome, OrderSagaInput, OrderToCreate } from "../../src/contract/orders.ts";
import { isFinal, mayMove } from "../../src/domain/orders/order-states.ts";
import { refusal, type BookAccess, type Page } from "./fake-page.ts";

/** The steps of an order over its page: its row, and its money in the wallet. */
export function createOrderSteps({ pageOf, call, once }: BookAccess) {
  const standing = ({ order }: Page, created: boolean) => {
    if (order === undefined) throw new Error("there is no row");
    const { state, requestHash, failure } = order;
    const status: OrderOutcome["status"] = state === "COMPLETED" ? "CONFIRMED" : state === "FAILED" ? "CANCELLED" : "PENDING";
    return {
      created,
      sagaState: state,
      status,
      requestHash,
      ...(failure === undefined ? {} : { failureCode: failure.code, failureMessage: failure.message }),
    };
  };
  const hold = (page: Page, order: OrderSagaInput) =>
    once(page, "hold", "holdOrder", () => {
      const amountMinor = BigInt(order.totalMinor);
      if (page.order?.state !== "STARTED") return page.order === undefined ? "ORDER_NOT_FOUND" : "ORDER_STATE_CONFLICT";
      if (page.availableMinor < amountMinor) return "INSUFFICIENT_FUNDS";
      page.availableMinor -= amountMinor;
      page.heldMinor += amountMinor;
      page.order.state = "PAYMENT_PENDING";
      return undefined;
    });
  const capture = (page: Page) =>
    once(page, "capture", "captureOrder", () => {
      if (page.order?.state !== "PAYMENT_PENDING") return page.order === undefined ? "ORDER_NOT_FOUND" : "ORDER_STATE_CONFLICT";
      page.captures += 1;
      page.revenueMinor += page.heldMinor;
      page.heldMinor = 0n;
      page.order.state = "COMPLETED";
      return undefined;
    });
  return {
    async createOrder({ payAtOnce, ...order }: OrderToCreate) {
      const page = pageOf(order.orderId);
      const createRow = () => {
        const created = page.order === undefined;
        page.order ??= { state: "STARTED", requestHash: order.requestHash };
        if (created) page.effects.push("createOrder");
        return standing(page, created);
      };
      const create = () => call(page, "createOrder", createRow);
      if (payAtOnce !== true || !page.paysAtOnce || page.paused) return create();
      // As the real step: a refusal is left to the steps that follow, and so is an outage, after which the row tells how the order stands.
      const paidAtOnce = () => {
        const row = createRow();
        const isPaid = row.requestHash === order.requestHash && isDone(() => hold(page, order)) && isDone(() => capture(page));
        return isPaid ? standing(page, row.created) : undefined;
      };
      const paid = await call(page, "payAtOnce", paidAtOnce).catch((error: unknown) => {
        if (!(error instanceof ApplicationFailure)) throw error;
        return undefined;
      });
      return paid ?? create();
    },
    holdOrder: async ({ order }: { order: OrderSagaInput }) =>
      call(pageOf(order.orderId), "holdOrder", () => hold(pageOf(order.orderId), order)),
    captureOrder: (order: OrderSagaInput) =>
      call(pageOf(order.orderId), "captureOrder", () => {
        const page = pageOf(order.orderId);
        if (page.paused) throw refusal("PAUSED");
        capture(page);
      }),
    beginCompensation: ({ order, failure }: { order: OrderSagaInput; failure: { code: string; message: string } }) =>
      call(pageOf(order.orderId), "beginCompensation", () => {
        const page = pageOf(order.orderId);
        const created = page.order === undefined;
        page.order ??= { state: "STARTED", requestHash: order.requestHash };
        if (page.order.requestHash === order.requestHash && mayMove(page.order.state, "COMPENSATING")) {
          page.order.state = "COMPENSATING";
          page.order.failure = failure;
          page.effects.push("beginCompensation");
        }
        return standing(page, created);
      }),
    releaseOrder: (order: OrderSagaInput) =>
      call(pageOf(order.orderId), "releaseOrder", () => {
        const page = pageOf(order.orderId);
        if (page.heldMinor === 0n) return;
        page.availableMinor += page.heldMinor;
        page.heldMinor = 0n;
        page.effects.push("releaseOrder");
      }),
    cancelOrder: ({ orderId }: { orderId: string }) =>
      call(pageOf(orderId), "cancelOrder", () => {
        const { order, effects } = pageOf(orderId);
        if (order?.state === "FAILED") return;
        if (order === undefined || isFinal(order.state) || !mayMove(order.state, "FAILED")) throw refusal("ORDER_STATE_CONFLICT");
        order.state = "FAILED";
        effects.push("cancelOrder");
      }),
  } satisfies Partial<Activities>;
}

/** True when the operation is done, now or before; false when it is refused. */
function isDone(post: () => void): boolean {
  try {
    post();
    return true;
  } catch (error) {
    if (error instanceof ApplicationFailure) return false;
    throw error;
  }
}
