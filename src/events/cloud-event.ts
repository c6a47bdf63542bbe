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
  /** A name whose value is undefined is absent from the JSON. */
  readonly data: Readonly<Record<string, string | undefined>>;
  /** The attribute of the CloudEvents extension "distributed tracing". */
  readonly traceparent?: string | undefined;
}

const text = z.string();
const optionalText = z.string().nullish();
const moment = z.string().transform((value) => new Date(value).toISOString());

/** An operation's own row, of which Postgres keeps the types. Times are ISO 8601 in UTC with milliseconds. */
export interface OperationRow {
  readonly id: string;
  readonly kind: string;
  readonly currency: string;
  readonly amount_minor: string;
  readonly user_id?: string | null;
  readonly peer_user_id?: string | null;
  readonly service_id?: string | null;
  readonly order_id?: string | null;
  readonly hold_id?: string | null;
  readonly comment: string;
  readonly correlation_id: string;
  readonly effective_at: string;
  readonly recorded_at: string;
}

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
 * are told; `direction` says on which one the reader stands. Throws: INVALID_CURRENCY.
 */
export function operationCloudEvent(input: {
  readonly outboxId: string;
  readonly userId: string;
  readonly operation: OperationRow;
  readonly traceparent?: string | undefined;
}): CloudEvent {
  const { outboxId, userId, operation: row, traceparent } = input;
  const receives = row.peer_user_id === userId;
  return envelope(
    { outboxId, type: `saldo.operation.${row.kind}`, subject: userId, time: row.recorded_at, traceparent },
    {
      operation_id: row.id,
      user_id: userId,
      operation: row.kind,
      amount: formatAmount(row.amount_minor, row.currency),
      currency: row.currency,
      direction: isText(row.peer_user_id) ? (receives ? "in" : "out") : undefined,
      peer_user_id: (receives ? row.user_id : row.peer_user_id) ?? undefined,
      service_id: row.service_id ?? undefined,
      order_id: row.order_id ?? undefined,
      hold_id: row.hold_id ?? undefined,
      comment: row.comment,
      occurred_at: row.effective_at,
      recorded_at: row.recorded_at,
      correlation_id: row.correlation_id,
    },
  );
}

interface OutboxRow {
  readonly outboxId: string;
  readonly payload: unknown;
  readonly correlationId: string | undefined;
  readonly traceparent?: string | undefined;
}

/** One message of `orders.events`: an order's new state, or what came of a dispute about its payment. Throws: ZodError when the row is not one of an order. */
export function orderCloudEvent({ outboxId, payload, correlationId, traceparent }: OutboxRow): CloudEvent {
  const row = orderPayload.parse(payload);
  if (row.dispute !== undefined) return disputeCloudEvent({ outboxId, correlationId, traceparent }, row, row.dispute);
  const type = `saldo.order.${row.sagaState.toLowerCase()}`;
  return envelope(
    { outboxId, type, subject: row.orderId, time: row.recordedAt, traceparent },
    {
      order_id: row.orderId,
      user_id: row.userId,
      saga_state: row.sagaState,
      status: row.status,
      version: row.version,
      amount: formatAmount(row.amountMinor, row.currency),
      currency: row.currency,
      failure_code: row.failureCode ?? undefined,
      failure_message: row.failureMessage ?? undefined,
      stuck_step: row.stuck ?? undefined,
      stuck_reason: isText(row.stuck) ? (row.reason ?? undefined) : undefined,
      recorded_at: row.recordedAt,
      correlation_id: correlationId,
    },
  );
}

type OrderPayload = z.output<typeof orderPayload>;

function disputeCloudEvent(
  { outboxId, correlationId, traceparent }: Omit<OutboxRow, "payload">,
  order: OrderPayload,
  dispute: NonNullable<OrderPayload["dispute"]>,
): CloudEvent {
  return envelope(
    { outboxId, type: "saldo.payment.disputed", subject: order.orderId, time: dispute.happenedAt, traceparent },
    {
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
    },
  );
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
export function reservationExpiringCloudEvent({ outboxId, payload, correlationId, traceparent }: OutboxRow): CloudEvent {
  const row = expiringPayload.parse(payload);
  const type = "saldo.reservation.expiring";
  return envelope(
    { outboxId, type, subject: row.reservationId, time: row.recordedAt, traceparent },
    {
      reservation_id: row.reservationId,
      user_id: row.userId,
      service_id: row.serviceId,
      order_id: row.orderId,
      held: formatAmount(row.heldMinor, row.currency),
      currency: row.currency,
      expires_at: row.expiresAt,
      recorded_at: row.recordedAt,
      correlation_id: correlationId,
    },
  );
}

function isText(value: string | null | undefined): value is string {
  return value !== null && value !== undefined;
}

interface Head {
  readonly outboxId: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly traceparent: string | undefined;
}

function envelope({ outboxId, type, subject, time, traceparent }: Head, data: CloudEvent["data"]): CloudEvent {
  return {
    specversion: "1.0",
    id: outboxEventId(outboxId),
    source: "saldo",
    type,
    subject,
    time,
    datacontenttype: "application/json",
    data,
    traceparent,
  };
}

/** The id of the event that a row of the outbox tells. */
export function outboxEventId(outboxId: string): string {
  return `outbox/${outboxId}`;
}
