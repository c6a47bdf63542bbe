import { sql } from "drizzle-orm";
import { DomainError } from "../../base/errors.ts";
import type { Db } from "../postgres/database.ts";
import type { CurrencyBalance } from "./balance-reader.ts";

/**
 * What a user had at a moment in the past, by the time of recording: one entry per currency they had any posting in until then,
 * by currency. `at` is ISO 8601 in UTC. It is found by halving over the versions of each account, so a long history costs
 * a few look-ups more than a short one.
 * Throws: INVALID_REQUEST when the moment has not come yet by the database's clock; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function readBalancesAt(db: Db, { userId, at }: { readonly userId: string; readonly at: string }): Promise<CurrencyBalance[]> {
  // `offset 0` keeps the planner from calling the function once per place that uses its result.
  const rows = await db.execute<{ future: boolean; currency: string | null; available: string; held: string }>(sql`
    with wanted as materialized (select ${at}::timestamptz as at)
    select wanted.at > clock_timestamp() as future, b.currency, b.available, b.held
      from wanted left join lateral (
        select a.currency, coalesce(sum(x.balance) filter (where a.kind = 'available'), 0)::text as available,
               coalesce(sum(x.balance) filter (where a.kind = 'held'), 0)::text as held
          from accounts a cross join lateral (select balance_at(a.id, wanted.at) as balance offset 0) x
         where a.owner = ${userId} and a.kind in ('available', 'held') and x.balance is not null
         group by a.currency
      ) b on true
     order by b.currency`);
  if (rows.some(({ future }) => future)) throw new DomainError("INVALID_REQUEST", "must not lie in the future", { pointer: "at" });
  return rows.flatMap(({ currency, available, held }) =>
    currency === null ? [] : [{ currency, availableMinor: BigInt(available), heldMinor: BigInt(held) }],
  );
}
