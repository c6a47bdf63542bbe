import { sql } from "drizzle-orm";
import { createBatcher } from "../../base/batching.ts";
import type { Db } from "../postgres/database.ts";

/** What a user has in one currency, in minor units. */
export interface CurrencyBalance {
  readonly currency: string;
  readonly availableMinor: bigint;
  readonly heldMinor: bigint;
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
  const byUser = await readUsers(db, [...new Set(userIds)]);
  return userIds.map((userId) => ({ asOf, balances: byUser.get(userId) ?? [] }));
}

async function readUsers(db: Db, userIds: readonly string[]): Promise<Map<string, CurrencyBalance[]>> {
  const rows = await db.execute(sql`
    select a.owner, a.currency,
           coalesce(sum(a.balance_minor) filter (where a.kind = 'available'), 0)::text as available,
           coalesce(sum(a.balance_minor) filter (where a.kind = 'held'), 0)::text as held
      from accounts a
     where a.owner = any (array(select json_array_elements_text(${JSON.stringify(userIds)}::json)))
       and a.kind in ('available', 'held')
     group by a.owner, a.currency
     order by a.owner, a.currency`);
  const byUser = new Map<string, CurrencyBalance[]>();
  for (const row of rows) {
    const userId = String(row["owner"]);
    const balance = {
      currency: String(row["currency"]),
      availableMinor: BigInt(String(row["available"])),
      heldMinor: BigInt(String(row["held"])),
    };
    const known = byUser.get(userId);
    if (known === undefined) byUser.set(userId, [balance]);
    else known.push(balance);
  }
  return byUser;
}
