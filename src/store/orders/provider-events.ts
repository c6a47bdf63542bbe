import { and, eq, sql } from "drizzle-orm";
import { disputeMoves, providerEvents } from "../../../drizzle/schema/provider.ts";
import type { DisputeMove, ProviderEvent, ProviderNews } from "../../contract/provider-events.ts";
import type { LinePart } from "../../domain/orders/dispute-lines.ts";
import type { Db } from "../postgres/database.ts";
import { insertOrderEvent } from "./order-event.ts";

/** True when the provider's event was taken to its end before. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function isKnownProviderEvent(db: Db, eventId: string): Promise<boolean> {
  const rows = await db.select({ id: providerEvents.id }).from(providerEvents).where(eq(providerEvents.id, eventId));
  return rows.length > 0;
}

/** Notes that the event was taken to its end. Safe to retry. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function noteProviderEvent(db: Db, { id, type }: ProviderEvent, orderId: string | undefined): Promise<void> {
  await db
    .insert(providerEvents)
    .values({ id, type, orderId: orderId ?? null })
    .onConflictDoNothing();
}

type Dispute = Extract<ProviderNews, { kind: "dispute" }>;

/** The lines that the money of a dispute is of, as its first move kept them; undefined before. */
export async function findDisputeLines(db: Db, disputeId: string): Promise<readonly LinePart[] | undefined> {
  const [row] = await db.select({ lines: disputeMoves.lines }).from(disputeMoves).where(eq(disputeMoves.disputeId, disputeId)).limit(1);
  return row?.lines;
}

/**
 * Keeps a move of a dispute with the lines that its money is of, and returns the lines that stand. Safe to retry: the first ones stay.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function keepDisputeMove(
  db: Db,
  move: Dispute & { readonly orderId: string; readonly happenedAt: Date; readonly lines: readonly LinePart[] },
): Promise<readonly LinePart[]> {
  const { disputeId, orderId, status, reason, currency, amountMinor, happenedAt } = move;
  await db
    .insert(disputeMoves)
    .values({ disputeId, move: move.move, orderId, status, reason, currency, amountMinor, happenedAt, lines: [...move.lines] })
    .onConflictDoNothing();
  const [row] = await db
    .select({ lines: disputeMoves.lines })
    .from(disputeMoves)
    .where(and(eq(disputeMoves.disputeId, disputeId), eq(disputeMoves.move, move.move)));
  return row?.lines ?? move.lines;
}

/**
 * Puts a dispute's move into the outbox for `orders.events`, once, as `payment.disputed` beside the order's own fields. Safe to retry.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function tellDisputeMove(
  db: Db,
  { disputeId, move }: { readonly disputeId: string; readonly move: DisputeMove },
): Promise<void> {
  const dispute = sql`(select jsonb_build_object('type', 'payment.disputed', 'recordedAt', t.told_at,
    'dispute', jsonb_build_object('disputeId', t.dispute_id,
    'move', t.move, 'status', t.status, 'reason', t.reason, 'amountMinor', t.amount_minor::text, 'currency', t.currency,
    'happenedAt', t.happened_at)) from told t)`;
  await db.execute(sql`
    with told as (
      update dispute_moves set told_at = clock_timestamp() where dispute_id = ${disputeId} and move = ${move} and told_at is null returning *
    ), changed as (
      select o.* from orders o join told t on t.order_id = o.id
    ), event as (${insertOrderEvent(dispute)} returning 1)
    select count(*) from event`);
}
