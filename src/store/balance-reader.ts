import { sql } from "drizzle-orm";
import type { Db } from "./database.ts";

/** What a user has in one currency, in minor units. */
export interface CurrencyBalance {
  readonly currency: string;
  readonly availableMinor: bigint;
  readonly heldMinor: bigint;
}

export interface UserBalances {
  /** When it was read; nothing committed before is missing. */
  readonly asOf: Date;
  /** One per currency the user ever had money in, by currency. */
  readonly balances: readonly CurrencyBalance[];
}

/** Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export interface BalanceReader {
  read(userId: string): Promise<UserBalances>;
}

interface Waiting {
  readonly userId: string;
  readonly resolve: (balances: UserBalances) => void;
  readonly reject: (error: unknown) => void;
}

const MAX_BATCH = 200;

/**
 * Reads balances for callers of the same moment with one statement, at most `parallel` at a time. Each statement begins after
 * its callers asked, so everyone sees every change that was committed before.
 */
export function createBalanceReader(db: Db, parallel = 2): BalanceReader {
  let queue: Waiting[] = [];
  let running = 0;
  let planned = false;

  const plan = () => {
    if (planned || queue.length === 0 || running >= parallel) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      const batch = queue.slice(0, MAX_BATCH);
      queue = queue.slice(MAX_BATCH);
      running += 1;
      void answer(db, batch).finally(() => {
        running -= 1;
        plan();
      });
      plan();
    });
  };

  return {
    read: (userId) =>
      new Promise((resolve, reject) => {
        queue.push({ userId, resolve, reject });
        plan();
      }),
  };
}

async function answer(db: Db, batch: readonly Waiting[]): Promise<void> {
  try {
    const asOf = new Date();
    const byUser = await readUsers(db, [...new Set(batch.map(({ userId }) => userId))]);
    for (const { userId, resolve } of batch) resolve({ asOf, balances: byUser.get(userId) ?? [] });
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
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
