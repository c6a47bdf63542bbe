import { and, asc, eq, sql } from "drizzle-orm";
import { refunds } from "../../../drizzle/schema/orders.ts";
import { DomainError, isErrorCode } from "../../base/errors.ts";
import type { RefundLine, RefundStatus } from "../../contract/refunds.ts";
import type { Db } from "../postgres/database.ts";

/** Money given back after an order was completed. */
export interface RefundRecord {
  readonly refundId: string;
  readonly orderId: string;
  readonly status: RefundStatus;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly lines: readonly RefundLine[];
  readonly reason: string;
  readonly requestHash: string;
  readonly providerReference?: string;
  readonly failureCode?: string;
  readonly caller: string;
  readonly correlationId: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A refund as it is asked for; without an amount, of all that is left. */
export interface NewRefund {
  readonly refundId: string;
  readonly orderId: string;
  readonly amountMinor: bigint | undefined;
  readonly reason: string;
  readonly requestHash: string;
  readonly caller: string;
  readonly correlationId: string;
}

/**
 * Sets the amount aside under the lock of the order's payment and writes the refund as pending; returns it, and whether it was there.
 * Safe to retry: the id decides.
 * Throws: ORDER_NOT_FOUND, ORDER_STATE_CONFLICT when the order is not completed, REFUND_EXCEEDS_PAYMENT, IDEMPOTENCY_CONFLICT.
 */
export async function reserveRefund(db: Db, refund: NewRefund): Promise<RefundRecord & { readonly known: boolean }> {
  const [row] = await db.execute<{ outcome: string }>(sql`
    select reserve_refund(${refund.refundId}, ${refund.orderId}, ${refund.amountMinor?.toString() ?? null}::bigint, ${refund.reason},
                          ${refund.requestHash}, ${refund.caller}, ${refund.correlationId}) as outcome`);
  const outcome = row?.outcome;
  if (outcome === "ORDER_STATE_CONFLICT") throw new DomainError(outcome, "only a completed order can be refunded");
  if (isErrorCode(outcome)) throw new DomainError(outcome);
  const stored = await getRefund(db, refund.refundId);
  if (stored === undefined) throw new DomainError("UNAVAILABLE", "the refund is not readable yet");
  return { ...stored, known: outcome === "known" };
}

/** The refund, or undefined when there is none. */
export async function getRefund(db: Db, refundId: string): Promise<RefundRecord | undefined> {
  const [row] = await db.select().from(refunds).where(eq(refunds.id, refundId));
  return row === undefined ? undefined : toRefundRecord(row);
}

/** Every refund of the order, oldest first. */
export async function listRefunds(db: Db, orderId: string): Promise<RefundRecord[]> {
  return (await db.select().from(refunds).where(eq(refunds.orderId, orderId)).orderBy(asc(refunds.createdAt))).map(toRefundRecord);
}

/** Marks a refund as done: its money is back. Safe to retry: only a pending refund moves. */
export async function finishRefund(db: Db, input: { readonly refundId: string; readonly reference: string | undefined }): Promise<void> {
  await db.execute(sql`
    with done as (
      update refunds set status = 'done', provider_reference = ${input.reference ?? null}, updated_at = clock_timestamp()
       where id = ${input.refundId} and status = 'pending' returning order_id
    )
    update payments p set status = case when p.refunded_minor = p.captured_minor then 'refunded' else 'part_refunded' end, updated_at = clock_timestamp()
      from done where p.order_id = done.order_id`);
}

/** Marks a refund as refused for good: the amount set aside for it is free for another. Safe to retry: only a pending refund moves. */
export async function refuseRefund(db: Db, input: { readonly refundId: string; readonly failureCode: string }): Promise<void> {
  await db.execute(sql`
    with refused as (
      update refunds set status = 'refused', failure_code = ${input.failureCode}, updated_at = clock_timestamp()
       where id = ${input.refundId} and status = 'pending' returning order_id, amount_minor
    )
    update payments p set refunded_minor = p.refunded_minor - refused.amount_minor, updated_at = clock_timestamp()
      from refused where p.order_id = refused.order_id`);
}

/** The refund that the provider knows under this id; undefined when none of the order is. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findRefundOfReference(db: Db, orderId: string, reference: string): Promise<RefundRecord | undefined> {
  const [row] = await db
    .select()
    .from(refunds)
    .where(and(eq(refunds.orderId, orderId), eq(refunds.providerReference, reference)));
  return row === undefined ? undefined : toRefundRecord(row);
}

/**
 * Takes back that a refund is done: its money never arrived, and its amount is free for another one. To be called after its reversal is
 * booked. Safe to retry: only a done refund moves.
 */
export async function failRefund(db: Db, input: { readonly refundId: string; readonly failureCode: string }): Promise<void> {
  await db.execute(sql`
    with failed as (
      update refunds set status = 'refused', failure_code = ${input.failureCode}, updated_at = clock_timestamp()
       where id = ${input.refundId} and status = 'done' returning order_id, amount_minor
    )
    update payments p set refunded_minor = p.refunded_minor - failed.amount_minor, updated_at = clock_timestamp(),
           status = case when p.refunded_minor = failed.amount_minor then 'captured' else 'part_refunded' end
      from failed where p.order_id = failed.order_id`);
}

function toRefundRecord(row: typeof refunds.$inferSelect): RefundRecord {
  const { id, providerReference, failureCode, ...rest } = row;
  return {
    ...rest,
    refundId: id,
    status: row.status as RefundStatus,
    ...(providerReference === null ? {} : { providerReference }),
    ...(failureCode === null ? {} : { failureCode }),
  };
}
