import { and, asc, eq, gt, inArray, lt, lte, sql } from "drizzle-orm";
import { operations } from "../../../drizzle/schema/ledger.ts";
import { orderItems, orders, refunds } from "../../../drizzle/schema/orders.ts";
import { holds } from "../../../drizzle/schema/reservations.ts";
import type { OrderSagaInput, SagaState } from "../../contract/orders.ts";
import type { OrderRefundInput } from "../../contract/refunds.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import { isFinal } from "../../domain/orders/order-states.ts";
import type { Db } from "../postgres/database.ts";
import { toHoldRecord, type HoldRecord } from "../reservations/holds.ts";

/** A reservation that still holds money, and who placed it. */
export interface OpenReservation {
  readonly hold: HoldRecord;
  readonly caller: string;
  readonly correlationId: string;
}

/**
 * Reservations that hold money: those whose time has passed, or those whose end is to come; the next end first.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function listOpenReservations(
  db: Db,
  input: { readonly which: "overdue" | "running"; readonly limit: number },
): Promise<OpenReservation[]> {
  const isOver = input.which === "overdue" ? lte(holds.expiresAt, sql`clock_timestamp()`) : gt(holds.expiresAt, sql`clock_timestamp()`);
  const rows = await db
    .select({ hold: holds, caller: operations.caller, correlationId: operations.correlationId })
    .from(holds)
    .innerJoin(operations, eq(operations.key, sql`'reservation/' || ${holds.id} || ':hold'`))
    .where(and(eq(holds.status, "held"), eq(holds.purpose, "reservation"), isOver))
    .orderBy(asc(holds.expiresAt))
    .limit(input.limit);
  return rows.map(({ hold, caller, correlationId }) => ({ hold: toHoldRecord(hold), caller, correlationId }));
}

/** The input that starts the workflow of an existing hold again: the same request, with the time that is left. */
export function reservationInputOf({ hold, caller, correlationId }: OpenReservation, nowMs: number): ReservationInput {
  const { holdId, userId, serviceId, orderId, currency, comment, requestHash } = hold;
  return {
    reservationId: holdId,
    userId,
    serviceId,
    orderId,
    currency,
    comment,
    requestHash,
    caller,
    correlationId,
    amountMinor: hold.amountMinor.toString(),
    ttlMs: Math.max(1, hold.expiresAt.getTime() - nowMs),
  };
}

export interface UnfinishedOrder {
  readonly orderId: string;
  readonly sagaState: SagaState;
  readonly workflowId: string;
  readonly stuckStep: string | null;
}

/** Orders that are in no final state and have not moved for `quietMs`, the oldest first. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listUnfinishedOrders(
  db: Db,
  input: { readonly quietMs: number; readonly limit: number },
): Promise<UnfinishedOrder[]> {
  const rows = await db
    .select({ orderId: orders.id, sagaState: orders.sagaState, workflowId: orders.workflowId, stuckStep: orders.stuckStep })
    .from(orders)
    .where(
      and(
        inArray(orders.sagaState, ["STARTED", "PAYMENT_PENDING", "COMPENSATING"]),
        lt(orders.updatedAt, sql`clock_timestamp() - make_interval(secs => ${input.quietMs / 1_000})`),
      ),
    )
    .orderBy(asc(orders.updatedAt))
    .limit(input.limit);
  return rows.map(({ orderId, sagaState, workflowId, stuckStep }) => ({
    orderId,
    sagaState: sagaState as SagaState,
    workflowId,
    stuckStep,
  }));
}

/**
 * The input that starts an order's saga again, which is that of its first run. Undefined when the order has ended meanwhile, or is older
 * than migration 0011, which keeps the input. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function orderInputOf(db: Db, orderId: string): Promise<OrderSagaInput | undefined> {
  const rows = await db
    .select({ input: orders.sagaInput, sagaState: orders.sagaState, line: orderItems })
    .from(orders)
    .innerJoin(orderItems, eq(orderItems.orderId, orders.id))
    .where(eq(orders.id, orderId))
    .orderBy(asc(orderItems.lineNo));
  const [first] = rows;
  if (first === undefined || first.input === null || isFinal(first.sagaState as SagaState)) return undefined;
  const lines = rows.map(({ line: { lineNo, serviceId, quantity, amountMinor } }) => ({
    lineNo,
    serviceId,
    quantity,
    amountMinor: amountMinor.toString(),
  }));
  return { ...(first.input as unknown as Omit<OrderSagaInput, "lines">), lines };
}

/** The input that starts the workflow of a pending refund again, and since when the refund is pending. */
export type PendingRefund = OrderRefundInput & { readonly createdAt: Date };

/** Each refund that has been pending for `quietMs`, the oldest first. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listPendingRefunds(db: Db, input: { readonly quietMs: number; readonly limit: number }): Promise<PendingRefund[]> {
  const rows = await db
    .select({ refund: refunds, userId: orders.userId, paymentMethod: orders.paymentMethod })
    .from(refunds)
    .innerJoin(orders, eq(orders.id, refunds.orderId))
    .where(
      and(eq(refunds.status, "pending"), lt(refunds.createdAt, sql`clock_timestamp() - make_interval(secs => ${input.quietMs / 1_000})`)),
    )
    .orderBy(asc(refunds.createdAt))
    .limit(input.limit);
  return rows.map(
    ({ refund: { id, orderId, currency, amountMinor, lines, reason, correlationId, caller, createdAt }, userId, paymentMethod }) => ({
      refundId: id,
      orderId,
      userId,
      currency,
      amountMinor: amountMinor.toString(),
      lines,
      paymentMethod: paymentMethod === "card" ? "card" : "wallet",
      reason,
      correlationId,
      caller,
      createdAt,
    }),
  );
}
