import { eq, sql } from "drizzle-orm";
import { payments } from "../../drizzle/schema.ts";
import type { PaymentMethod, PaymentStatus } from "../contract/orders.ts";
import type { Db } from "./database.ts";

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
}

/** The order's payment, or undefined when the order was never written. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getPayment(db: Db, orderId: string): Promise<PaymentRecord | undefined> {
  const [row] = await db.select().from(payments).where(eq(payments.orderId, orderId));
  return row === undefined ? undefined : toPaymentRecord(row);
}

/** A row as a record. */
export function toPaymentRecord(row: typeof payments.$inferSelect): PaymentRecord {
  const { id, providerReference, last4, brand, ...rest } = row;
  return {
    ...rest,
    paymentId: id,
    method: row.method as PaymentMethod,
    status: row.status as PaymentStatus,
    ...(providerReference === null ? {} : { providerReference }),
    ...(last4 === null ? {} : { last4 }),
    ...(brand === null ? {} : { brand }),
  };
}

/** What the provider has definitely done for a card's payment. */
export type PaymentStep =
  | { readonly step: "authorised" | "captured"; readonly amountMinor: bigint; readonly reference: string }
  | { readonly step: "declined" }
  | { readonly step: "cancelled" }
  | { readonly step: "refunded"; readonly reference: string };

/** Writes what became of a card's payment. Safe to retry: each step leaves the same row. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function recordPaymentStep(db: Db, orderId: string, done: PaymentStep): Promise<void> {
  const now = sql`clock_timestamp()`;
  const change = (() => {
    switch (done.step) {
      case "authorised":
        return { status: "authorised", authorisedMinor: done.amountMinor, providerReference: done.reference };
      case "captured":
        return { status: "captured", capturedMinor: done.amountMinor, providerReference: done.reference };
      case "declined":
        return { status: "declined" };
      case "cancelled":
        // A payment that was refunded or declined has a stronger word already.
        return { status: sql`case when ${payments.status} in ('pending', 'authorised') then 'cancelled' else ${payments.status} end` };
      case "refunded":
        // A refund may be learnt of when the capture's own answer was lost.
        return {
          status: "refunded",
          capturedMinor: sql`greatest(${payments.capturedMinor}, (select total_minor from orders o where o.id = ${orderId}))`,
          refundedMinor: sql`greatest(${payments.capturedMinor}, (select total_minor from orders o where o.id = ${orderId}))`,
          providerReference: done.reference,
        };
    }
  })();
  await db
    .update(payments)
    .set({ ...change, updatedAt: now })
    .where(eq(payments.orderId, orderId));
}
