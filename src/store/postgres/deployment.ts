import { sql } from "drizzle-orm";
import { hashOf } from "../../base/hash.ts";
import type { Db } from "./database.ts";
import { isRetryable } from "./lane.ts";

/**
 * A mark of eight hex digits for the database that a deployment works on: the same for all of its processes, by whatever address they reach it,
 * another one for every other cluster and database. A clone of a cluster's files has the mark of its original.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function markOfDatabase(db: Db): Promise<string> {
  const [named] = await db.execute<{ name: string }>(sql`select current_database() as name`);
  return hashOf([await clusterId(db), named?.name ?? ""]).slice(0, 8);
}

async function clusterId(db: Db): Promise<string> {
  try {
    const [row] = await db.execute<{ id: string }>(sql`select system_identifier::text as id from pg_control_system()`);
    return row?.id ?? "";
  } catch (error) {
    // Some hosts of Postgres do not let the application ask; the database's name says the most then.
    if (isRetryable(error)) throw error;
    return "";
  }
}
