import { sql } from "drizzle-orm";
import type { BalanceKey } from "../../contract/balances.ts";
import type { Db } from "../postgres/database.ts";

/** What a user has in one currency, in minor units. `version` rises with every posting of either account. */
export interface BalanceRecord extends BalanceKey {
  readonly availableMinor: bigint;
  readonly heldMinor: bigint;
  readonly version: bigint;
}

interface Row extends Record<string, unknown> {
  readonly owner: string;
  readonly currency: string;
  readonly available: string;
  readonly held: string;
  readonly version: string;
}

/**
 * The balances of these users and currencies, from one snapshot; a user and currency without an account are left out.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function readBalances(db: Db, keys: readonly BalanceKey[]): Promise<BalanceRecord[]> {
  const rows = await db.execute<Row>(sql`
    select a.owner, a.currency, sum(a.version)::text as version,
           coalesce(sum(a.balance_minor) filter (where a.kind = 'available'), 0)::text as available,
           coalesce(sum(a.balance_minor) filter (where a.kind = 'held'), 0)::text as held
      from json_to_recordset(${JSON.stringify(keys)}::json) as k("userId" text, currency text)
      join accounts a on a.owner = k."userId" and a.currency = k.currency and a.kind in ('available', 'held')
     group by a.owner, a.currency`);
  return rows.map((row) => ({
    userId: row.owner,
    currency: row.currency,
    availableMinor: BigInt(row.available),
    heldMinor: BigInt(row.held),
    version: BigInt(row.version),
  }));
}
