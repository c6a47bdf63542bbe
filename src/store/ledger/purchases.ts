import { sql, type SQL } from "drizzle-orm";
import { orderWorkflowId, PURCHASE_ORDER, stepKey } from "../../contract/ids.ts";
import { usernameIn } from "../../domain/purchases/purchase-comment.ts";
import type { Db } from "../postgres/database.ts";

/** A purchase that was asked for over HTTP or Kafka: an operation of kind charge. Orders are not among them, except those that carry out a purchase by card. */
export interface PurchaseRecord {
  readonly purchaseId: string;
  readonly userId: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly paidBy: "wallet" | "card";
  readonly source: "http" | "kafka";
  /** The code it was refused with; undefined when it was done. */
  readonly refusalCode: string | undefined;
  readonly serviceId: string;
  /** The user's name as the purchase said it; undefined when its event said none, or came before names of events were kept. */
  readonly username: string | undefined;
  readonly comment: string;
  readonly occurredAt: Date;
  readonly recordedAt: Date;
}

/** The keys of the charges of orders that carry out a purchase by card, as a LIKE pattern. */
const OF_ORDERS = stepKey(orderWorkflowId(`${PURCHASE_ORDER}%`), "charge");

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly user_id: string;
  readonly amount_minor: string;
  readonly currency: string;
  readonly by_card: boolean;
  readonly by_event: boolean;
  readonly refusal_code: string | null;
  readonly service_id: string;
  readonly comment: string;
  readonly effective_at: string;
  readonly recorded_at: string;
}

/** The purchase, or undefined when there is none. The id must be a bigint in decimal. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getPurchase(db: Db, purchaseId: string): Promise<PurchaseRecord | undefined> {
  return (await readPurchases(db, sql`o.id = ${purchaseId}::bigint`, 1))[0];
}

/** One page of a user's purchases, the newest first; one more than `limit` when there is a next page. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export function listPurchases(
  db: Db,
  { userId, limit, afterId }: { readonly userId: string; readonly limit: number; readonly afterId?: string },
): Promise<PurchaseRecord[]> {
  // A range of the index on user and id instead of an equality: see `startOf` in operation-list-statement.ts.
  const after = afterId === undefined ? sql`o.user_id <= ${userId}` : sql`(o.user_id, o.id) < (${userId}, ${afterId}::bigint)`;
  return readPurchases(db, sql`o.user_id >= ${userId} and ${after}`, limit + 1);
}

async function readPurchases(db: Db, which: SQL, limit: number): Promise<PurchaseRecord[]> {
  const rows = await db.execute<Row>(sql`
    select o.id, o.user_id, o.amount_minor, o.currency, o.topic is not null as by_event, o.refusal_code, o.comment, o.effective_at, o.recorded_at,
           coalesce(o.service_id, (select p.service_id from postings p where p.operation_id = o.id limit 1)) as service_id,
           exists (select from postings p join accounts d on d.id = p.debit_account where p.operation_id = o.id and d.kind = 'psp') as by_card
      from operations o
     where o.kind = 'charge' and (o.topic is not null or o.key like 'http:%' or o.key like ${OF_ORDERS}) and ${which}
     order by o.user_id desc, o.id desc limit ${limit}::integer`);
  return rows.map((row): PurchaseRecord => ({
    purchaseId: row.id,
    userId: row.user_id,
    amountMinor: BigInt(row.amount_minor),
    currency: row.currency,
    paidBy: row.by_card ? "card" : "wallet",
    source: row.by_event ? "kafka" : "http",
    refusalCode: row.refusal_code ?? undefined,
    serviceId: row.service_id,
    username: usernameIn(row.comment, row.by_event ? "kafka" : "http"),
    comment: row.comment,
    occurredAt: new Date(row.effective_at),
    recordedAt: new Date(row.recorded_at),
  }));
}
