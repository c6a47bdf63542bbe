import { eq, getTableColumns, sql } from "drizzle-orm";
import { orderItems, orders, payments } from "../../../drizzle/schema/orders.ts";
import { DomainError } from "../../base/errors.ts";
import type { OrderSagaInput, OrderStatus, SagaState } from "../../contract/orders.ts";
import { refundOfStep } from "../../contract/refunds.ts";
import type { NewOrderRow } from "../../domain/ledger/operations.ts";
import { assertMove, mayMove, statesBefore } from "../../domain/orders/order-states.ts";
import type { Db } from "../postgres/database.ts";
import { insertOrderEvent } from "./order-event.ts";
import { toPaymentRecord, type PaymentRecord } from "./payments.ts";

export interface OrderItemRecord {
  readonly lineNo: number;
  readonly serviceId: string;
  readonly quantity: number;
  readonly amountMinor: bigint;
  /** What refunds have given back of the line or set aside for that; absent when nothing. */
  readonly refundedMinor?: bigint;
}

/** A line as it is read: with what refunds have taken of it, refused refunds left out. For statements over `order_items`. */
export const ITEM_COLUMNS = {
  ...getTableColumns(orderItems),
  refundedMinor: sql<string>`(
    select coalesce(sum((l ->> 'amountMinor')::bigint), 0)::text
      from refunds r cross join lateral jsonb_array_elements(r.lines) l
     where r.order_id = order_items.order_id and r.status <> 'refused' and (l ->> 'lineNo')::integer = order_items.line_no)`,
};

/** An order as it stands in Postgres. `version` rises with each change. */
export interface OrderRecord {
  readonly orderId: string;
  readonly userId: string;
  readonly status: OrderStatus;
  readonly sagaState: SagaState;
  readonly currency: string;
  readonly totalMinor: bigint;
  readonly paymentMethod: string;
  readonly failureCode?: string;
  readonly failureMessage?: string;
  readonly comment: string;
  readonly requestHash: string;
  readonly workflowId: string;
  readonly version: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Absent only while the order is being written. */
  readonly payment?: PaymentRecord;
  /** The step whose compensation is parked, and since when. */
  readonly stuckStep?: string;
  readonly stuckSince?: Date;
  /** What an operator ended by hand, in words. */
  readonly settledByHand?: string;
  readonly items: readonly OrderItemRecord[];
}

/** The order's state, or undefined when there is no such order. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getOrder(db: Db, orderId: string): Promise<OrderRecord | undefined> {
  const rows = await db
    .select({ order: orders, item: ITEM_COLUMNS, payment: payments })
    .from(orders)
    .innerJoin(orderItems, eq(orderItems.orderId, orders.id))
    .leftJoin(payments, eq(payments.orderId, orders.id))
    .where(eq(orders.id, orderId))
    .orderBy(orderItems.lineNo);
  const [first] = rows;
  return first === undefined
    ? undefined
    : toOrderRecord(
        first.order,
        rows.map(({ item }) => item),
        first.payment,
      );
}

/** A row, its lines and its payment as a record. */
export function toOrderRecord(
  row: typeof orders.$inferSelect,
  items: readonly (Omit<OrderItemRecord, "refundedMinor"> & { readonly refundedMinor: string })[],
  payment: typeof payments.$inferSelect | null,
): OrderRecord {
  const {
    id,
    failureCode,
    failureMessage,
    stuckStep,
    stuckSince,
    settledByHand,
    caller: _caller,
    correlationId: _correlationId,
    sagaInput: _sagaInput,
    ...rest
  } = row;
  return {
    ...rest,
    orderId: id,
    status: row.status as OrderStatus,
    sagaState: row.sagaState as SagaState,
    ...(failureCode === null ? {} : { failureCode }),
    ...(failureMessage === null ? {} : { failureMessage }),
    ...(stuckStep === null ? {} : { stuckStep }),
    ...(stuckSince === null ? {} : { stuckSince }),
    ...(settledByHand === null ? {} : { settledByHand }),
    ...(payment === null ? {} : { payment: toPaymentRecord(payment) }),
    items: items.map(({ lineNo, serviceId, quantity, amountMinor, refundedMinor }) => ({
      lineNo,
      serviceId,
      quantity,
      amountMinor,
      ...(refundedMinor === "0" ? {} : { refundedMinor: BigInt(refundedMinor) }),
    })),
  };
}

/** An order with the workflow that runs it. */
export type NewOrder = OrderSagaInput & { readonly workflowId: string };

/** The order's row as `ledger_post` creates it together with the order's money. */
export function newOrderRow(order: NewOrder): NewOrderRow {
  const { userId, currency, totalMinor, paymentMethod, comment, requestHash, workflowId, caller, correlationId, lines } = order;
  const sagaInput = { ...inputOf(order) };
  return { userId, currency, totalMinor, paymentMethod, comment, requestHash, workflowId, caller, correlationId, lines, sagaInput };
}

/** The record of a wallet's order that one statement of the moment `at` has created and paid: what `getOrder` reads of it. */
export function orderPaidAtOnce(order: NewOrder, at: Date): OrderRecord {
  const { orderId, userId, currency, paymentMethod, comment, requestHash, workflowId, lines } = order;
  const totalMinor = BigInt(order.totalMinor);
  const moments = { createdAt: at, updatedAt: at };
  return {
    orderId,
    userId,
    currency,
    totalMinor,
    paymentMethod,
    comment,
    requestHash,
    workflowId,
    status: "CONFIRMED",
    sagaState: "COMPLETED",
    version: VERSION_PAID_AT_ONCE,
    payment: {
      paymentId: `payment/${orderId}`,
      orderId,
      method: paymentMethod,
      status: "captured",
      currency,
      authorisedMinor: totalMinor,
      capturedMinor: totalMinor,
      refundedMinor: 0n,
      ...moments,
    },
    ...moments,
    items: lines.map(({ lineNo, serviceId, quantity, amountMinor }) => ({ lineNo, serviceId, quantity, amountMinor: BigInt(amountMinor) })),
  };
}

/** STARTED, PAYMENT_PENDING, COMPLETED: each state raises the version. */
const VERSION_PAID_AT_ONCE = 3n;

/** Why an order was not completed: a code of the catalogue and words. */
export interface OrderFailure {
  readonly code: string;
  readonly message: string;
}

/** The state of an order's row. `created` is false when the row was there before. */
export interface OrderStanding {
  readonly created: boolean;
  readonly sagaState: SagaState;
  readonly status: OrderStatus;
  readonly requestHash: string;
  readonly failureCode?: string;
  readonly failureMessage?: string;
}

/**
 * Creates the order PENDING and STARTED with its lines, its payment and its event, in one statement; or returns the state of the order
 * that has the id already.
 * Safe to retry: the order's id decides. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export function createOrder(db: Db, order: NewOrder): Promise<OrderStanding> {
  return insertOrder(db, order, "STARTED", undefined);
}

/**
 * Moves the order to COMPENSATING with the reason, from any state that may come before it. From then on a hold or a capture that is
 * still under way for it is refused, so the compensation finds all the money that there will ever be to give back. An order that was
 * never created is created here as COMPENSATING, so that a late creation finds its row.
 * Safe to retry. Returns the order's state then, which is a final one when the order had ended before.
 */
export async function beginCompensation(db: Db, order: NewOrder, failure: OrderFailure): Promise<OrderStanding> {
  for (;;) {
    await moveOrder(db, {
      orderId: order.orderId,
      from: statesBefore("COMPENSATING"),
      to: "COMPENSATING",
      requestHash: order.requestHash,
      failure,
    });
    const standing = await insertOrder(db, order, "COMPENSATING", failure);
    // A late creation of this very order may have come between the two statements: then there is a row to move now.
    if (standing.requestHash !== order.requestHash || !mayMove(standing.sagaState, "COMPENSATING")) return standing;
  }
}

/**
 * Moves the order from one state to the next. Safe to retry: an order that is there already is left as it is.
 * Throws: ORDER_STATE_CONFLICT, ORDER_NOT_FOUND.
 */
export async function changeOrderState(
  db: Db,
  input: { readonly orderId: string; readonly from: SagaState; readonly to: SagaState },
): Promise<void> {
  assertMove(input.from, input.to);
  if (await moveOrder(db, { ...input, from: [input.from], failure: undefined })) return;
  const [row] = await db.select({ sagaState: orders.sagaState }).from(orders).where(eq(orders.id, input.orderId));
  if (row === undefined) throw new DomainError("ORDER_NOT_FOUND");
  if (row.sagaState !== input.to) throw new DomainError("ORDER_STATE_CONFLICT", `the order is ${row.sagaState}`);
}

/** Which step of an order is stuck; without `step`, none is any more. `was` names the step whose note is removed, so that another step's note stays. */
export interface StuckNote {
  readonly orderId: string;
  readonly step?: string | null | undefined;
  readonly was?: string;
  readonly reason: string;
}

/**
 * Notes in the order's row which step is stuck, or that none is any more, and publishes it in orders.events. A refund is noted only where
 * no other step is. Safe to retry: a note that stands already is published once. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function noteStuck(db: Db, { orderId, step = null, was, reason }: StuckNote): Promise<void> {
  const onlyIfFree = refundOfStep(step ?? undefined) !== undefined;
  await db.execute(sql`
    with changed as (
      update orders set stuck_step = ${step}, stuck_since = case when ${step}::text is null then null else clock_timestamp() end,
             version = version + 1, updated_at = clock_timestamp()
       where id = ${orderId} and stuck_step is distinct from ${step}
         and (${was ?? null}::text is null or stuck_step = ${was ?? null}) and (not ${onlyIfFree}::boolean or stuck_step is null)
      returning *
    )
    ${insertOrderEvent(sql`jsonb_build_object('stuck', x.stuck_step, 'reason', ${reason}::text)`)}`);
}

/** How an operator ended a compensation: left it undone (`skip`), or did it outside of Saldo (`settle`). */
export interface HandSettlement {
  readonly orderId: string;
  readonly step: string;
  readonly act: string;
  readonly reason: string;
  readonly actor: string;
}

/** Notes in the order's row how an operator ended a compensation; no step is stuck then. Safe to retry: the same words are added once. */
export async function settleByHand(db: Db, { orderId, step, act, reason, actor }: HandSettlement): Promise<void> {
  const words = `${act} "${step}" by ${actor}: ${reason}`;
  await db.execute(sql`
    update orders set settled_by_hand = concat_ws('; ', settled_by_hand, ${words}::text), stuck_step = null, stuck_since = null,
           version = version + 1, updated_at = clock_timestamp()
     where id = ${orderId} and position(${words}::text in coalesce(settled_by_hand, '')) = 0`);
}

/** Changes the comment of an order that has not ended; returns whether the order was there and open. */
export async function changeOrderComment(db: Db, input: { readonly orderId: string; readonly comment: string }): Promise<boolean> {
  const changed = await db.execute(sql`
    update orders set comment = ${input.comment}, version = version + 1, updated_at = clock_timestamp()
     where id = ${input.orderId} and status = 'PENDING' returning id`);
  return changed.length > 0;
}

async function insertOrder(db: Db, order: NewOrder, sagaState: SagaState, failure: OrderFailure | undefined): Promise<OrderStanding> {
  const [row] = await db.execute<OrderRow>(sql`
    with changed as (
      insert into orders (id, user_id, status, saga_state, currency, total_minor, payment_method, comment, request_hash, workflow_id, caller,
                          correlation_id, failure_code, failure_message, saga_input, created_at, updated_at)
      values (${order.orderId}, ${order.userId}, 'PENDING', ${sagaState}, ${order.currency}, ${order.totalMinor}::bigint,
              ${order.paymentMethod}, ${order.comment}, ${order.requestHash}, ${order.workflowId}, ${order.caller}, ${order.correlationId},
              ${failure?.code ?? null}, ${failure?.message ?? null}, ${JSON.stringify(inputOf(order))}::jsonb, clock_timestamp(), clock_timestamp())
      on conflict (id) do nothing
      returning *
    ), lines as (
      insert into order_items (order_id, line_no, service_id, quantity, amount_minor)
      select x.id, l."lineNo", l."serviceId", l.quantity, l."amountMinor"
        from changed x, json_to_recordset(${JSON.stringify(order.lines)}::json) as l("lineNo" integer, "serviceId" text, quantity integer, "amountMinor" bigint)
    ), payment as (
      insert into payments (id, order_id, method, status, currency, last4, brand, created_at, updated_at)
      select 'payment/' || x.id, x.id, x.payment_method, 'pending', x.currency, ${order.card?.last4 ?? null}, ${order.card?.brand ?? null}, x.created_at, x.updated_at
        from changed x
    ), event as (${insertOrderEvent()})
    select saga_state, status, request_hash, failure_code, failure_message from changed`);
  if (row !== undefined) return { created: true, ...describe(row) };
  const [known] = await db.execute<OrderRow>(sql`
    select saga_state, status, request_hash, failure_code, failure_message from orders where id = ${order.orderId}`);
  // Orders are never deleted, so the row that the insert met can be read.
  if (known === undefined) throw new DomainError("UNAVAILABLE", "the order is being created by another call");
  return { created: false, ...describe(known) };
}

// The lines have rows of their own.
function inputOf({ workflowId: _workflowId, lines: _lines, ...input }: NewOrder): Omit<OrderSagaInput, "lines"> {
  return input;
}

interface OrderRow extends Record<string, unknown> {
  readonly saga_state: SagaState;
  readonly status: OrderStatus;
  readonly request_hash: string;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
}

function describe(row: OrderRow): Omit<OrderStanding, "created"> {
  return {
    sagaState: row.saga_state,
    status: row.status,
    requestHash: row.request_hash,
    ...(row.failure_code === null ? {} : { failureCode: row.failure_code }),
    ...(row.failure_message === null ? {} : { failureMessage: row.failure_message }),
  };
}

// The update names the states the order may come from: of two moves of one order only the legal one finds the row.
async function moveOrder(
  db: Db,
  input: { orderId: string; from: readonly SagaState[]; to: SagaState; requestHash?: string; failure: OrderFailure | undefined },
): Promise<boolean> {
  const status: OrderStatus = input.to === "FAILED" ? "CANCELLED" : input.to === "COMPLETED" ? "CONFIRMED" : "PENDING";
  const moved = await db.execute(sql`
    with changed as (
      update orders
         set saga_state = ${input.to}, status = ${status}, version = version + 1, updated_at = clock_timestamp(),
             failure_code = coalesce(${input.failure?.code ?? null}, failure_code),
             failure_message = coalesce(${input.failure?.message ?? null}, failure_message)
       where id = ${input.orderId}
         and request_hash = coalesce(${input.requestHash ?? null}, request_hash)
         and saga_state in (select json_array_elements_text(${JSON.stringify(input.from)}::json))
      returning *
    ), event as (${insertOrderEvent()})
    select id from changed`);
  return moved.length > 0;
}
