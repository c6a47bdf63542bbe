import type { z } from "@hono/zod-openapi";
import type { OrderSagaStatus } from "../contract/orders.ts";
import { formatAmount } from "../money.ts";
import type { OrderRecord } from "../store/orders.ts";
import type { orderSchema } from "./schemas/orders.ts";

/** Where an order is found. */
export function orderPath(orderId: string): string {
  return `/api/v1/orders/${encodeURIComponent(orderId)}`;
}

/** True when nothing will change the order any more. */
export function isClosed(order: OrderRecord): boolean {
  return order.sagaState === "COMPLETED" || order.sagaState === "FAILED";
}

/** An order as it is answered. What the running workflow says about its state is newer than the row. */
export function showOrder(order: OrderRecord, running?: OrderSagaStatus): z.infer<typeof orderSchema> {
  const failureCode = running?.failureCode ?? order.failureCode;
  return {
    orderId: order.orderId,
    userId: order.userId,
    status: running?.status ?? order.status,
    sagaState: running?.sagaState ?? order.sagaState,
    ...(running === undefined ? {} : { step: running.step }),
    currency: order.currency,
    total: formatAmount(order.totalMinor, order.currency),
    paymentMethod: order.paymentMethod,
    comment: order.comment,
    items: order.items.map(({ lineNo, serviceId, quantity, amountMinor }) => ({
      lineNo,
      serviceId,
      quantity,
      amount: formatAmount(amountMinor, order.currency),
    })),
    ...(failureCode === undefined
      ? {}
      : { failure: { code: failureCode, message: running?.failureMessage ?? order.failureMessage ?? "" } }),
    createdAt: order.createdAt.toISOString(),
    updatedAt: order.updatedAt.toISOString(),
    links: { self: orderPath(order.orderId) },
  };
}
