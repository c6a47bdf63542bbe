import type postgres from "postgres";
import { until } from "./until.ts";

/** Waits until so many statements in the database of `sql` wait for what another transaction holds. */
export function untilBlocked(sql: postgres.Sql, count = 1): Promise<void> {
  return until(`${count} statements wait for another transaction`, async () => {
    const rows = await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return rows.length >= count;
  });
}
