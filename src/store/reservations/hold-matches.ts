import { and, desc, eq } from "drizzle-orm";
import { operations } from "../../../drizzle/schema/ledger.ts";
import { holds } from "../../../drizzle/schema/reservations.ts";
import { services } from "../../../drizzle/schema/services.ts";
import type { Db } from "../postgres/database.ts";
import { toHoldRecord, type HoldRecord } from "./holds.ts";

/** What a client names a hold by when it does not know its id. */
export interface HoldTriple {
  readonly userId: string;
  readonly serviceId: string;
  readonly orderId: string;
}

/** So many holds of one triple are read: a client cannot act on a triple with more. */
const MAX_MATCHES = 100;

/**
 * The holds of exactly this user, service and order, newest first, at most 100.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function findHoldsOf(db: Db, input: HoldTriple & { readonly purpose: HoldRecord["purpose"] }): Promise<HoldRecord[]> {
  const rows = await db
    .select()
    .from(holds)
    .where(
      and(
        eq(holds.orderId, input.orderId),
        eq(holds.userId, input.userId),
        eq(holds.serviceId, input.serviceId),
        eq(holds.purpose, input.purpose),
      ),
    )
    .orderBy(desc(holds.createdAt), desc(holds.id))
    .limit(MAX_MATCHES);
  return rows.map(toHoldRecord);
}

/**
 * The id of the newest operation that held money for a triple or was refused to, which tells one attempt from the next: requests of the
 * same moment that make a hold's id of the triple and this id make the same one. Undefined before the first attempt. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function newestHoldingOf(db: Db, { userId, serviceId, orderId }: HoldTriple): Promise<string | undefined> {
  const [row] = await db
    .select({ id: operations.id })
    .from(operations)
    .where(
      and(eq(operations.orderId, orderId), eq(operations.userId, userId), eq(operations.serviceId, serviceId), eq(operations.kind, "hold")),
    )
    .orderBy(desc(operations.id))
    .limit(1);
  return row?.id.toString();
}

/** The name of a service, also of one that was deleted since. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function serviceNameOf(db: Db, serviceId: string): Promise<string | undefined> {
  const [row] = await db.select({ name: services.name }).from(services).where(eq(services.id, serviceId));
  return row?.name;
}
