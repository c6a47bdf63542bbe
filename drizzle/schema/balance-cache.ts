import { sql } from "drizzle-orm";
import { bigint, boolean, check, pgTable, text } from "drizzle-orm/pg-core";

/**
 * Whether cached balances may be read, in one row. `epoch` rises with each closing and each opening; `reign` is the replication id of the
 * Redis that the epoch was opened on. docs/balance-cache.md has the protocol.
 */
export const balanceCache = pgTable(
  "balance_cache",
  {
    only: boolean("only").primaryKey().default(true),
    epoch: bigint("epoch", { mode: "number" }).notNull(),
    state: text("state").notNull(),
    reign: text("reign").notNull(),
  },
  (table) => [
    check("balance_cache_one_row", sql`${table.only}`),
    check("balance_cache_state", sql`${table.state} in ('closed', 'opening', 'open')`),
  ],
);
