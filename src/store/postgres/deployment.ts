import { sql } from "drizzle-orm";
import { hashOf } from "../../base/hash.ts";
import type { Db } from "./database.ts";
import { isRetryable } from "./lane.ts";

/**
 * A mark of eight hex digits for the database that a deployment works on: the same for all of its processes, another one for every other
 * cluster and database, also for a copy of the files that runs at another address. `url` is the address that the process has.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function markOfDatabase(db: Db, url: string): Promise<string> {
  const { hostname, port, pathname } = new URL(url);
  return hashOf([hostname, port, pathname, await clusterId(db)]).slice(0, 8);
}

async function clusterId(db: Db): Promise<string> {
  try {
    const [row] = await db.execute<{ id: string }>(sql`select system_identifier::text as id from pg_control_system()`);
    return row?.id ?? "";
  } catch (error) {
    // Some hosts of Postgres do not let the application ask; the address says the most then.
    if (isRetryable(error)) throw error;
    return "";
  }
}
