import { type Column, eq, type SQL, sql } from "drizzle-orm";
import { payments } from "../../../drizzle/schema/orders.ts";
import type { PaymentMethod, PaymentStatus } from "../../contract/orders.ts";
import type { Db } from "../postgres/database.ts";

/** The payment of an order. Amounts in minor units of the order's currency. */
export interface PaymentRecord {
  readonly paymentId: string;
  readonly orderId: string;
  readonly method: PaymentMethod;
  readonly status: PaymentStatus;
  readonly providerReference?: string;
  readonly currency: string;
  readonly authorisedMinor: bigint;
  readonly capturedMinor: bigint;
  readonly refundedMinor: bigint;
  readonly last4?: string;
  readonly brand?: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** When each step of a payment by card was first known; `endedAt` is when the card was released or declined. */
  readonly authorisedAt?: Date;
  readonly capturedAt?: Date;
  readonly refundedAt?: Date;
  readonly endedAt?: Date;
}

/** A row as a record. */
export function toPaymentRecord(row: typeof payments.$inferSelect): PaymentRecord {
  const { id, providerReference, last4, brand, authorisedAt, capturedAt, refundedAt, endedAt, ...rest } = row;
  return {
    ...rest,
    paymentId: id,
    method: row.method as PaymentMethod,
    status: row.status as PaymentStatus,
    ...(providerReference === null ? {} : { providerReference }),
    ...(last4 === null ? {} : { last4 }),
    ...(brand === null ? {} : { brand }),
    ...(authorisedAt === null ? {} : { authorisedAt }),
    ...(capturedAt === null ? {} : { capturedAt }),
    ...(refundedAt === null ? {} : { refundedAt }),
    ...(endedAt === null ? {} : { endedAt }),
  };
}

/** What the provider has definitely done for a card's payment. */
export type PaymentStep =
  | { readonly step: "authorised" | "captured"; readonly amountMinor: bigint; readonly reference: string }
  | { readonly step: "declined" }
  | { readonly step: "cancelled" }
  | { readonly step: "refunded"; readonly reference: string };

/**
 * Records a step of a payment by card. The row only moves forward: a step that is recorded late keeps its amount and its time, and never
 * replaces a later step's status. Safe to retry: each step leaves the same row. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function recordPaymentStep(db: Db, orderId: string, done: PaymentStep): Promise<void> {
  const now = sql`clock_timestamp()`;
  const first = (column: Column) => sql`coalesce(${column}, ${now})`;
  const mostOf = (column: Column, amount: bigint | SQL) =>
    sql`greatest(${column}, ${typeof amount === "bigint" ? sql`${amount.toString()}::bigint` : amount})`;
  // In the statement itself: two steps of one order may be written at the same moment.
  const onlyFrom = (from: SQL) => (value: string, column: Column) =>
    sql`case when ${payments.status} in (${from}) then ${value}::text else ${column} end`;
  const fromPending = onlyFrom(sql`'pending'`);
  const fromUncaptured = onlyFrom(sql`'pending', 'authorised'`);
  const fromCaptured = onlyFrom(sql`'pending', 'authorised', 'captured'`);
  const change = (() => {
    switch (done.step) {
      case "authorised":
        return {
          status: fromPending(done.step, payments.status),
          authorisedMinor: mostOf(payments.authorisedMinor, done.amountMinor),
          providerReference: fromPending(done.reference, payments.providerReference),
          authorisedAt: first(payments.authorisedAt),
        };
      case "captured":
        return {
          status: fromUncaptured(done.step, payments.status),
          capturedMinor: mostOf(payments.capturedMinor, done.amountMinor),
          // The ledger's booking may have set the status before the provider's answer was recorded.
          providerReference: fromCaptured(done.reference, payments.providerReference),
          capturedAt: first(payments.capturedAt),
        };
      case "declined":
        return { status: fromPending(done.step, payments.status), endedAt: first(payments.endedAt) };
      case "cancelled":
        // A payment that was refunded or declined keeps that status.
        return { status: fromUncaptured(done.step, payments.status), endedAt: first(payments.endedAt) };
      case "refunded": {
        // A refund may be recorded although the answer to its capture was lost.
        const total = sql`(select total_minor from orders o where o.id = ${orderId})`;
        return {
          status: "refunded",
          capturedMinor: mostOf(payments.capturedMinor, total),
          refundedMinor: mostOf(payments.capturedMinor, total),
          providerReference: done.reference,
          refundedAt: first(payments.refundedAt),
        };
      }
    }
  })();
  await db
    .update(payments)
    .set({ ...change, updatedAt: now })
    .where(eq(payments.orderId, orderId));
}
