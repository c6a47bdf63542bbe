import { sql } from "drizzle-orm";
import { formatAmount } from "../../base/money.ts";
import type { SagaState } from "../../contract/orders.ts";
import type { SagaCommandKind, SagaPaymentRequest } from "../../contract/saga-commands.ts";
import { SAGA_COMMANDS_TOPIC, SAGA_REPLIES_TOPIC } from "../../contract/topics.ts";
import type { Db } from "../postgres/database.ts";
import { insertOrderEvent } from "./order-event.ts";

/** A reply of the payment side. It carries no amount. */
export interface SagaReply {
  readonly sagaId: string;
  readonly orderId: string;
  readonly command: SagaCommandKind;
  readonly status: "SUCCEEDED" | "FAILED";
  readonly paymentId?: string;
  readonly error?: string;
  readonly correlationId: string;
}

/** Puts a reply to a saga command into the outbox. A retry sends the same reply twice. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function sendSagaReply(db: Db, reply: SagaReply): Promise<void> {
  const message = {
    saga_id: reply.sagaId,
    command: reply.command,
    order_id: reply.orderId,
    status: reply.status,
    payment_id: reply.paymentId ?? null,
    error: reply.error ?? null,
  };
  await db.execute(sql`
    insert into outbox (aggregate_type, aggregate_id, topic, raw_key, raw_value, headers)
    values ('saga', ${reply.sagaId}, ${SAGA_REPLIES_TOPIC}, convert_to(${reply.sagaId}, 'UTF8'), convert_to(${JSON.stringify(message)}, 'UTF8'),
            ${JSON.stringify(headersOf(reply.correlationId))}::jsonb)`);
}

/** An order, as far as a reply to its saga must know it. */
export interface SagaOrder {
  readonly payment: SagaPaymentRequest;
  /** True when its CHARGE was sent over saga.commands. */
  readonly isAsked: boolean;
  /** True when it is being undone or is undone, so that its payment is to be given back. */
  readonly isUndone: boolean;
  /** True when the payment's id is known already. */
  readonly isPaymentKnown: boolean;
}

/** The order of a saga, or undefined when there is none. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findSagaOrder(db: Db, sagaId: string): Promise<SagaOrder | undefined> {
  const [row] = await db.execute<SagaOrderRow>(sql`
    select o.user_id, o.currency, o.total_minor::text as total_minor, o.correlation_id, o.saga_state, ${IS_ASKED} as is_asked,
           p.provider_reference is not null as is_payment_known
      from orders o left join payments p on p.order_id = o.id
     where o.id = ${sagaId}`);
  if (row === undefined) return undefined;
  const { user_id: userId, currency, correlation_id: correlationId, saga_state: state } = row;
  return {
    payment: { orderId: sagaId, userId, amount: formatAmount(row.total_minor, currency), currency, correlationId },
    isAsked: row.is_asked,
    isUndone: state === "COMPENSATING" || state === "FAILED",
    isPaymentKnown: row.is_payment_known,
  };
}

interface SagaOrderRow extends Record<string, unknown> {
  readonly user_id: string;
  readonly currency: string;
  readonly total_minor: string;
  readonly correlation_id: string;
  readonly saga_state: SagaState;
  readonly is_asked: boolean;
  readonly is_payment_known: boolean;
}

// An order whose payment Saldo takes itself is PAYMENT_PENDING too, without a CHARGE.
// Orders from before migration 0011 have no saga_input; a CHARGE in their outbox stands in for it.
const IS_ASKED = sql`((o.saga_input ->> 'paidBy' = 'saga-commands' or (o.saga_input is null
    and exists (select from outbox x where x.aggregate_type = 'saga' and x.aggregate_id = o.id and x.topic = ${SAGA_COMMANDS_TOPIC})))
  and exists (select from order_transitions t where t.order_id = o.id and t.saga_state = 'PAYMENT_PENDING'))`;

/**
 * Moves the order from STARTED to PAYMENT_PENDING and sends its CHARGE, in one statement: exactly from then on there is a payment to be
 * undone. Returns whether it did. Safe to retry: an order that is further on stays as it is, and nothing is sent.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function requestSagaCharge(db: Db, request: SagaPaymentRequest): Promise<boolean> {
  const rows = await db.execute(sql`
    with changed as (
      update orders set saga_state = 'PAYMENT_PENDING', version = version + 1, updated_at = clock_timestamp()
       where id = ${request.orderId} and saga_state = 'STARTED'
      returning *
    ), event as (${insertOrderEvent()})
    insert into outbox (aggregate_type, aggregate_id, topic, raw_key, raw_value, headers)
    select 'saga', x.id, ${SAGA_COMMANDS_TOPIC}, convert_to(x.id, 'UTF8'), convert_to(${commandText(request, "CHARGE")}, 'UTF8'),
           ${JSON.stringify(headersOf(request.correlationId))}::jsonb from changed x
    returning id`);
  // The trigger of `orders` marks the payment authorised as soon as the order is PAYMENT_PENDING, which only the other service can say
  // here. Also when the order was moved before: an earlier try may have ended between the two statements.
  await db.execute(sql`
    update payments p set authorised_minor = 0, status = case when p.status = 'authorised' then 'pending' else p.status end
      from orders o
     where p.order_id = ${request.orderId} and o.id = p.order_id and p.captured_minor = 0 and p.authorised_minor > 0 and ${IS_ASKED}`);
  return rows.length > 0;
}

/** Raises the authorised amount to the captured one: a payment service that took money had authorised it. Safe to retry. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function noteSagaAuthorised(db: Db, orderId: string): Promise<void> {
  await db.execute(
    sql`update payments set authorised_minor = captured_minor where order_id = ${orderId} and authorised_minor < captured_minor`,
  );
}

/**
 * Sends the REFUND of an order whose CHARGE was sent, which is an order that was ever PAYMENT_PENDING. A retry sends it twice; the payment
 * side executes it once. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function requestSagaRefund(db: Db, request: SagaPaymentRequest): Promise<void> {
  await db.execute(sql`
    insert into outbox (aggregate_type, aggregate_id, topic, raw_key, raw_value, headers)
    select 'saga', ${request.orderId}, ${SAGA_COMMANDS_TOPIC}, convert_to(${request.orderId}, 'UTF8'),
           convert_to(${commandText(request, "REFUND")}, 'UTF8'), ${JSON.stringify(headersOf(request.correlationId))}::jsonb
     where exists (select from order_transitions t where t.order_id = ${request.orderId} and t.saga_state = 'PAYMENT_PENDING')`);
}

/**
 * Answers a SUCCEEDED that came after its order was undone: keeps the payment's id, once, and sends a REFUND. Returns whether this was the
 * first such reply. Only for orders whose CHARGE was sent over saga.commands. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function refundLatePayment(db: Db, request: SagaPaymentRequest & { readonly paymentId: string }): Promise<boolean> {
  const rows = await db.execute(sql`
    with late as (
      update payments p set provider_reference = ${request.paymentId}, updated_at = clock_timestamp()
        from orders o
       where p.order_id = ${request.orderId} and o.id = p.order_id and o.saga_state in ('COMPENSATING', 'FAILED') and p.provider_reference is null
         and ${IS_ASKED}
      returning p.order_id
    )
    insert into outbox (aggregate_type, aggregate_id, topic, raw_key, raw_value, headers)
    select 'saga', l.order_id, ${SAGA_COMMANDS_TOPIC}, convert_to(l.order_id, 'UTF8'), convert_to(${commandText(request, "REFUND")}, 'UTF8'),
           ${JSON.stringify(headersOf(request.correlationId))}::jsonb from late l
    returning id`);
  return rows.length > 0;
}

function commandText({ orderId, userId, amount, currency }: SagaPaymentRequest, command: SagaCommandKind): string {
  return JSON.stringify({ saga_id: orderId, command, order_id: orderId, user_id: userId, amount, currency });
}

function headersOf(correlationId: string): Record<string, string> {
  return { "content-type": "application/json", "correlation-id": correlationId };
}
