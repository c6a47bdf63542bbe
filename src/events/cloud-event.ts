import { z } from "zod";
import { formatAmount } from "../base/money.ts";

/** What leaves Saldo, in CloudEvents 1.0 JSON. A reader recognises a message sent twice by `id`. */
export interface CloudEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: "saldo";
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: "application/json";
  readonly data: Readonly<Record<string, string>>;
}

const text = z.string();
const optionalText = z.string().nullish();
const moment = z.string().transform((value) => new Date(value).toISOString());

const operationRow = z.object({
  id: text,
  kind: text,
  currency: text,
  amount_minor: text,
  user_id: optionalText,
  peer_user_id: optionalText,
  service_id: optionalText,
  order_id: optionalText,
  hold_id: optionalText,
  comment: text,
  correlation_id: text,
  effective_at: moment,
  recorded_at: moment,
});

const orderPayload = z.object({
  orderId: text,
  userId: text,
  sagaState: text,
  status: text,
  version: text,
  amountMinor: text,
  currency: text,
  failureCode: optionalText,
  failureMessage: optionalText,
  /** Of an order that waits for an operator: which step, and why. */
  stuck: optionalText,
  reason: optionalText,
  /** There when it tells of a dispute about the order's payment, and not of a state. */
  dispute: z
    .object({ disputeId: text, move: text, status: text, reason: text, amountMinor: text, currency: text, happenedAt: moment })
    .optional(),
  recordedAt: moment,
});

/**
 * One message of `notifications` to `userId`: what happened to the user's money (S4-11, S4-12). Of a transfer both sides
 * are told; `direction` says on which one the reader stands. Throws: ZodError when `operation` is not an operation's row.
 */
export function operationCloudEvent(input: {
  readonly outboxId: string;
  readonly userId: string;
  readonly operation: unknown;
}): CloudEvent {
  const row = operationRow.parse(input.operation);
  const receives = row.peer_user_id === input.userId;
  return envelope(input.outboxId, `saldo.operation.${row.kind}`, input.userId, row.recorded_at, {
    operation_id: row.id,
    user_id: input.userId,
    operation: row.kind,
    amount: formatAmount(row.amount_minor, row.currency),
    currency: row.currency,
    direction: isText(row.peer_user_id) ? (receives ? "in" : "out") : undefined,
    peer_user_id: receives ? row.user_id : row.peer_user_id,
    service_id: row.service_id,
    order_id: row.order_id,
    hold_id: row.hold_id,
    comment: row.comment,
    occurred_at: row.effective_at,
    recorded_at: row.recorded_at,
    correlation_id: row.correlation_id,
  });
}

interface OutboxRow {
  readonly outboxId: string;
  readonly payload: unknown;
  readonly correlationId: string | undefined;
}

/** One message of `orders.events`: an order's new state, or what came of a dispute about its payment. Throws: ZodError when the row is not one of an order. */
export function orderCloudEvent({ outboxId, payload, correlationId }: OutboxRow): CloudEvent {
  const row = orderPayload.parse(payload);
  if (row.dispute !== undefined) return disputeCloudEvent(outboxId, row, row.dispute, correlationId);
  return envelope(outboxId, `saldo.order.${row.sagaState.toLowerCase()}`, row.orderId, row.recordedAt, {
    order_id: row.orderId,
    user_id: row.userId,
    saga_state: row.sagaState,
    status: row.status,
    version: row.version,
    amount: formatAmount(row.amountMinor, row.currency),
    currency: row.currency,
    failure_code: row.failureCode,
    failure_message: row.failureMessage,
    stuck_step: row.stuck,
    stuck_reason: isText(row.stuck) ? row.reason : undefined,
    recorded_at: row.recordedAt,
    correlation_id: correlationId,
  });
}

type OrderPayload = z.output<typeof orderPayload>;

function disputeCloudEvent(
  outboxId: string,
  order: OrderPayload,
  dispute: NonNullable<OrderPayload["dispute"]>,
  correlationId: string | undefined,
): CloudEvent {
  return envelope(outboxId, "saldo.payment.disputed", order.orderId, dispute.happenedAt, {
    order_id: order.orderId,
    user_id: order.userId,
    saga_state: order.sagaState,
    status: order.status,
    dispute_id: dispute.disputeId,
    move: dispute.move,
    dispute_status: dispute.status,
    reason: dispute.reason,
    amount: formatAmount(dispute.amountMinor, dispute.currency),
    currency: dispute.currency,
    happened_at: dispute.happenedAt,
    recorded_at: order.recordedAt,
    correlation_id: correlationId,
  });
}

const expiringPayload = z.object({
  reservationId: text,
  userId: text,
  serviceId: text,
  orderId: text,
  heldMinor: text,
  currency: text,
  expiresAt: moment,
  recordedAt: moment,
});

/** One message of `reservations.events`: an open reservation is about to expire. Throws: ZodError when the row is not such a one. */
export function reservationExpiringCloudEvent({ outboxId, payload, correlationId }: OutboxRow): CloudEvent {
  const row = expiringPayload.parse(payload);
  return envelope(outboxId, "saldo.reservation.expiring", row.reservationId, row.recordedAt, {
    reservation_id: row.reservationId,
    user_id: row.userId,
    service_id: row.serviceId,
    order_id: row.orderId,
    held: formatAmount(row.heldMinor, row.currency),
    currency: row.currency,
    expires_at: row.expiresAt,
    recorded_at: row.recordedAt,
    correlation_id: correlationId,
  });
}

function isText(value: string | null | undefined): value is string {
  return value !== null && value !== undefined;
}

function envelope(
  outboxId: string,
  type: string,
  subject: string,
  time: string,
  data: Record<string, string | null | undefined>,
): CloudEvent {
  const present = Object.entries(data).filter((entry): entry is [string, string] => isText(entry[1]));
  return {
    specversion: "1.0",
    id: `outbox/${outboxId}`,
    source: "saldo",
    type,
    subject,
    time,
    datacontenttype: "application/json",
    data: Object.fromEntries(present),
  };
}
