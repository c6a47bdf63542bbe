import { sql } from "drizzle-orm";
import { rescueKeyPrefix } from "../../contract/ids.ts";
import type { Db } from "../postgres/database.ts";
import { rangeEnd } from "../postgres/key-range.ts";

/**
 * The amount that a late confirmation took for each expired reservation, in minor units, by the reservation's id. Reservations that were
 * not rescued are left out.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function rescuedMinorOf(db: Db, reservationIds: readonly string[]): Promise<ReadonlyMap<string, bigint>> {
  if (reservationIds.length === 0) return new Map();
  const wanted = reservationIds.map((id) => ({ id, first: rescueKeyPrefix(id), end: rangeEnd(rescueKeyPrefix(id)) }));
  const rows = await db.execute<{ id: string; amount: string }>(sql`
    select wanted.id, o.amount_minor as amount
      from json_to_recordset(${JSON.stringify(wanted)}::json) as wanted(id text, first text, "end" text)
      join lateral (
        select o.amount_minor from operations o
         where o.key >= wanted.first and o.key < wanted."end" and o.outcome = 'done'
         limit 1
      ) o on true`);
  return new Map([...rows].map(({ id, amount }) => [id, BigInt(amount)]));
}
