import type { z } from "@hono/zod-openapi";
import { formatAmount } from "../../base/money.ts";
import type { OrderSagaStatus, PaymentMethod } from "../../contract/orders.ts";
import { refundOfStep } from "../../contract/refunds.ts";
import { lineMoneyOf } from "../../domain/orders/line-money.ts";
import type { OrderItemRecord, OrderRecord } from "../../store/orders/orders.ts";
import type { PaymentRecord } from "../../store/orders/payments.ts";
import type { RefundRecord } from "../../store/orders/refunds.ts";
import { isClosed } from "../../use-cases/orders/closed.ts";
import type { orderSchema } from "./orders-schemas.ts";
import type { refundSchema } from "./refund-schemas.ts";

type ShownOrder = z.infer<typeof orderSchema>;

/** Where an order is found. */
export function orderPath(orderId: string): string {
  return `/api/v1/orders/${encodeURIComponent(orderId)}`;
}

/** An order that was accepted and whose outcome is not known yet: as far as its row or its workflow tells, else as an order begins. */
export function showAcceptedOrder(orderId: string, standing: Pick<OrderSagaStatus, "status" | "sagaState"> | undefined) {
  const { status = "PENDING" as const, sagaState = "STARTED" as const } = standing ?? {};
  return { orderId, status, sagaState, links: { self: orderPath(orderId) } };
}

/** An order as it is answered. What the running workflow says about its state is newer than the row. */
export function showOrder(order: OrderRecord, running?: OrderSagaStatus): ShownOrder {
  const failureCode = running?.failureCode ?? order.failureCode;
  const stuckStep = running?.stuck ?? order.stuckStep;
  return {
    orderId: order.orderId,
    userId: order.userId,
    status: running?.status ?? order.status,
    sagaState: running?.sagaState ?? order.sagaState,
    ...(running === undefined ? {} : { step: running.step }),
    ...(running?.waitingFor === undefined ? {} : { waitingFor: running.waitingFor }),
    // Of an order that has ended only a refund can be stuck.
    ...(stuckStep === undefined || (isClosed(order) && refundOfStep(stuckStep) === undefined)
      ? {}
      : { stuck: { step: stuckStep, ...sinceOf(order), ...reasonOf(running) } }),
    ...(order.settledByHand === undefined ? {} : { settledByHand: order.settledByHand }),
    currency: order.currency,
    total: formatAmount(order.totalMinor, order.currency),
    paymentMethod: order.paymentMethod as PaymentMethod,
    ...(order.payment === undefined ? {} : { payment: showPayment(order.payment) }),
    comment: order.comment,
    items: order.items.map((item) => showItem(item, order)),
    ...(failureCode === undefined
      ? {}
      : { failure: { code: failureCode, message: running?.failureMessage ?? order.failureMessage ?? "" } }),
    createdAt: order.createdAt.toISOString(),
    updatedAt: order.updatedAt.toISOString(),
    links: { self: orderPath(order.orderId) },
  };
}

function showItem(item: OrderItemRecord, { payment, currency }: OrderRecord): ShownOrder["items"][number] {
  const { lineNo, serviceId, quantity, amountMinor } = item;
  const { heldMinor, capturedMinor, givenBackMinor } = lineMoneyOf(item, payment);
  const text = (minor: bigint) => formatAmount(minor, currency);
  return {
    lineNo,
    serviceId,
    quantity,
    amount: text(amountMinor),
    held: text(heldMinor),
    captured: text(capturedMinor),
    givenBack: text(givenBackMinor),
  };
}

/** A refund as it is answered. */
export function showRefund(refund: RefundRecord): z.infer<typeof refundSchema> {
  const { refundId, orderId, status, currency, reason, failureCode } = refund;
  return {
    refundId,
    orderId,
    status,
    currency,
    amount: formatAmount(refund.amountMinor, currency),
    reason,
    items: refund.lines.map(({ lineNo, serviceId, amountMinor }) => ({
      lineNo,
      serviceId,
      amount: formatAmount(amountMinor, currency),
    })),
    ...(failureCode === undefined ? {} : { failureCode }),
    createdAt: refund.createdAt.toISOString(),
    updatedAt: refund.updatedAt.toISOString(),
    links: { self: `${orderPath(orderId)}/refunds` },
  };
}

// The reason why the step is stuck, which is not the reason why the order is undone.
function reasonOf(running: OrderSagaStatus | undefined): { reason?: string } {
  return running?.stuck === undefined || running.waitingFor === undefined ? {} : { reason: running.waitingFor };
}

function sinceOf({ stuckSince }: OrderRecord): { since?: string } {
  return stuckSince === undefined ? {} : { since: stuckSince.toISOString() };
}

function showPayment(payment: PaymentRecord): NonNullable<ShownOrder["payment"]> {
  const { paymentId, status, currency, last4, brand, providerReference } = payment;
  return {
    paymentId,
    status,
    authorised: formatAmount(payment.authorisedMinor, currency),
    captured: formatAmount(payment.capturedMinor, currency),
    refunded: formatAmount(payment.refundedMinor, currency),
    ...(last4 === undefined ? {} : { last4 }),
    ...(brand === undefined ? {} : { brand }),
    ...(providerReference === undefined ? {} : { providerReference }),
  };
}
