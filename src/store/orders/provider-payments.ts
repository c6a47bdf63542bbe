import { eq, sql } from "drizzle-orm";
import { providerPayments } from "../../../drizzle/schema/provider.ts";
import type { Db } from "../postgres/database.ts";

/** The provider's payment of an order; null when the order was fenced before it had one. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findPaymentReference(db: Db, orderId: string): Promise<string | null | undefined> {
  const [row] = await db
    .select({ reference: providerPayments.reference })
    .from(providerPayments)
    .where(eq(providerPayments.orderId, orderId));
  return row?.reference;
}

/**
 * Keeps the provider's payment of an order, or the fence (null), unless the order has one already; returns the one that stands. Safe to
 * retry: the first one stays. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function keepPaymentReference(db: Db, orderId: string, reference: string | null): Promise<string | null> {
  const [row] = await db.execute<{ reference: string | null }>(sql`
    insert into provider_payments (order_id, reference) values (${orderId}, ${reference})
    on conflict (order_id) do nothing returning reference`);
  if (row !== undefined) return row.reference;
  return (await findPaymentReference(db, orderId)) ?? null;
}

/** The order that the provider's payment is of; undefined for a payment that is not Saldo's. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findOrderOfReference(db: Db, reference: string): Promise<string | undefined> {
  const [row] = await db
    .select({ orderId: providerPayments.orderId })
    .from(providerPayments)
    .where(eq(providerPayments.reference, reference));
  return row?.orderId;
}
