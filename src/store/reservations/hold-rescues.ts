import { sql } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

/**
 * What was captured late of each of these expired reservations, by id; those of which nothing was are not among them.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function rescuedMinorOf(db: Db, reservationIds: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
  if (reservationIds.length === 0) return new Map();
  // "0" follows "/" in the order of bytes, so the range is all of one reservation's tries.
  const rows = await db.execute<{ id: string; amount: string }>(sql`
    select wanted.id, o.amount_minor as amount
      from json_array_elements_text(${JSON.stringify(reservationIds)}::json) as wanted(id)
      join lateral (
        select o.amount_minor from operations o
         where o.key >= 'reservation/' || wanted.id || ':rescue/' and o.key < 'reservation/' || wanted.id || ':rescue0' and o.outcome = 'done'
         limit 1
      ) o on true`);
  return new Map([...rows].map(({ id, amount }) => [id, BigInt(amount)]));
}
