import { z } from "zod";
import { formatAmount } from "../money.ts";

/** What leaves Saldo, in CloudEvents 1.0 JSON. A reader knows a double by `id`. */
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

const operationPayload = z.object({
  operationId: text,
  operation: text,
  userId: text,
  peerUserId: optionalText,
  amountMinor: text,
  currency: text,
  serviceId: optionalText,
  orderId: optionalText,
  reservationId: optionalText,
  comment: text,
  occurredAt: moment,
  recordedAt: moment,
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
  recordedAt: moment,
});

interface Source {
  readonly outboxId: string;
  readonly payload: unknown;
  readonly correlationId: string | undefined;
}

/** One message of `notifications`: what happened to a user's money (S4-11, S4-12). Throws: ZodError when the row is not one of an operation. */
export function operationCloudEvent({ outboxId, payload, correlationId }: Source): CloudEvent {
  const row = operationPayload.parse(payload);
  return envelope(outboxId, `saldo.operation.${row.operation}`, row.userId, row.recordedAt, {
    operation_id: row.operationId,
    user_id: row.userId,
    operation: row.operation,
    amount: formatAmount(BigInt(row.amountMinor), row.currency),
    currency: row.currency,
    peer_user_id: row.peerUserId,
    service_id: row.serviceId,
    order_id: row.orderId,
    reservation_id: row.reservationId,
    comment: row.comment,
    occurred_at: row.occurredAt,
    recorded_at: row.recordedAt,
    correlation_id: correlationId,
  });
}

/** One message of `orders.events`: an order's new state. Throws: ZodError when the row is not one of an order. */
export function orderCloudEvent({ outboxId, payload, correlationId }: Source): CloudEvent {
  const row = orderPayload.parse(payload);
  return envelope(outboxId, `saldo.order.${row.sagaState.toLowerCase()}`, row.orderId, row.recordedAt, {
    order_id: row.orderId,
    user_id: row.userId,
    saga_state: row.sagaState,
    status: row.status,
    version: row.version,
    amount: formatAmount(BigInt(row.amountMinor), row.currency),
    currency: row.currency,
    failure_code: row.failureCode,
    failure_message: row.failureMessage,
    recorded_at: row.recordedAt,
    correlation_id: correlationId,
  });
}

function envelope(outboxId: string, type: string, subject: string, time: string, data: Record<string, string | null | undefined>): CloudEvent {
  const present = Object.entries(data).filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== undefined);
  return { specversion: "1.0", id: `outbox/${outboxId}`, source: "saldo", type, subject, time, datacontenttype: "application/json", data: Object.fromEntries(present) };
}
