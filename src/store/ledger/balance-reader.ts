import { sql } from "drizzle-orm";
import { createBatcher } from "../../base/batching.ts";
import type { Db } from "../postgres/database.ts";

/** What a user has in one currency, in minor units. */
export interface CurrencyBalance {
  readonly currency: string;
  readonly availableMinor: bigint;
  readonly heldMinor: bigint;
}

/** What a user has in each currency they ever had money in, by currency. `version` rises with each posting of any of the user's accounts. */
export interface VersionedBalances {
  readonly version: bigint;
  readonly balances: readonly CurrencyBalance[];
}

export interface UserBalances {
  /** When the balances were read; no change that was committed before is missing. */
  readonly asOf: Date;
  /** One per currency the user ever had money in, by currency. */
  readonly balances: readonly CurrencyBalance[];
}

/** Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export interface BalanceReader {
  read(userId: string): Promise<UserBalances>;
}

const MAX_BATCH = 200;

/**
 * Reads balances for callers of the same moment with one statement, at most `parallel` at a time. Each statement begins after
 * its callers asked, so every caller sees every change that was committed before the call.
 */
export function createBalanceReader(db: Db, parallel = 2): BalanceReader {
  return { read: createBatcher({ maxBatch: MAX_BATCH, parallel, run: (userIds) => readBalances(db, userIds) }) };
}

async function readBalances(db: Db, userIds: readonly string[]): Promise<UserBalances[]> {
  const asOf = new Date();
  const byUser = await readVersionedBalances(db, [...new Set(userIds)]);
  return userIds.map((userId) => ({ asOf, balances: byUser.get(userId)?.balances ?? [] }));
}

/** The balances of these users from one snapshot; a user without an account is left out. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function readVersionedBalances(db: Db, userIds: readonly string[]): Promise<Map<string, VersionedBalances>> {
  const rows = await db.execute(sql`
    select a.owner, a.currency, sum(a.version)::text as version,
           coalesce(sum(a.balance_minor) filter (where a.kind = 'available'), 0)::text as available,
           coalesce(sum(a.balance_minor) filter (where a.kind = 'held'), 0)::text as held
      from accounts a
     where a.owner = any (array(select json_array_elements_text(${JSON.stringify(userIds)}::json)))
       and a.kind in ('available', 'held')
     group by a.owner, a.currency
     order by a.owner, a.currency`);
  const byUser = new Map<string, { version: bigint; readonly balances: CurrencyBalance[] }>();
  for (const row of rows) {
    const userId = String(row["owner"]);
    const known = byUser.get(userId) ?? { version: 0n, balances: [] };
    byUser.set(userId, known);
    known.version += BigInt(String(row["version"]));
    known.balances.push({
      currency: String(row["currency"]),
      availableMinor: BigInt(String(row["available"])),
      heldMinor: BigInt(String(row["held"])),
    });
  }
  return byUser;
}
