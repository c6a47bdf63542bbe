import { inWords } from "../base/money.ts";
import type { EventBatchStart } from "../contract/events.ts";
import type { OrderSagaInput } from "../contract/orders.ts";
import type { OrderRefundInput } from "../contract/refunds.ts";
import type { RevenueReportInput } from "../contract/reports.ts";
import type { ReservationInput } from "../contract/reservations.ts";
import type { SagaCommandInput } from "../contract/saga-commands.ts";
import type { SagaPaymentRequest } from "../contract/saga-commands.ts";
import type { WebhookDeliveryInput } from "../contract/webhooks.ts";

/** The summary, details and memo of an order's workflow. The memo's `requestHash` tells whether a later request is the same. */
export function orderWords(order: OrderSagaInput) {
  const { userId, comment, requestHash } = order;
  const amount = inWords(order.totalMinor, order.currency);
  return {
    staticSummary: `Order of ${amount} by user ${userId}`,
    staticDetails: comment,
    memo: { userId, amount, comment, requestHash },
  };
}

/** The summary, details and memo of a refund's workflow. */
export function refundWords(refund: OrderRefundInput) {
  const { userId, orderId } = refund;
  const amount = inWords(refund.amountMinor, refund.currency);
  return {
    staticSummary: `Refund of ${amount} to user ${userId}`,
    staticDetails: refund.reason,
    memo: { userId, orderId, amount },
  };
}

/** The summary, details and memo of a reservation's workflow. */
export function reservationWords(reservation: ReservationInput) {
  const { userId, orderId } = reservation;
  const amount = inWords(reservation.amountMinor, reservation.currency);
  return {
    staticSummary: `Reservation of ${amount} of user ${userId}`,
    staticDetails: reservation.comment,
    memo: { userId, amount, orderId },
  };
}

/** The summary and memo of the workflow that executes a saga's command. */
export function sagaCommandWords(command: SagaCommandInput) {
  const { userId, orderId } = command;
  const amount = inWords(command.amountMinor, command.currency);
  return {
    staticSummary: `${command.command} of ${amount} of user ${userId}, saga ${command.sagaId}`,
    memo: { userId, orderId, amount },
  };
}

/** The summary and memo of the workflow that waits for the answer to an order's REFUND. */
export function sagaRefundWords(payment: SagaPaymentRequest) {
  const { userId, orderId } = payment;
  const amount = `${payment.amount} ${payment.currency}`;
  return {
    staticSummary: `REFUND of ${amount} to user ${userId}, saga ${orderId}`,
    memo: { userId, orderId, amount },
  };
}

/** The summary of a report's workflow. */
export function reportWords(report: RevenueReportInput) {
  return { staticSummary: `Revenue of ${report.month}, version ${report.version}` };
}

/** The summary of the workflow that applies a batch of events. */
export function eventBatchWords(batch: EventBatchStart) {
  const { topic, partition, firstOffset, lastOffset } = batch;
  const count = "events" in batch ? batch.events.length : batch.count;
  return { staticSummary: `${count} events of ${topic}/${partition}, offsets ${firstOffset} to ${lastOffset}` };
}

/** The summary of a webhook delivery's workflow. */
export function deliveryWords(delivery: WebhookDeliveryInput) {
  return { staticSummary: `Event ${delivery.eventId} to webhook ${delivery.webhookId}` };
}
