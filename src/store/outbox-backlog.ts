import { sql } from "drizzle-orm";
import type { Db } from "./database.ts";

/** How many messages of the outbox wait to leave, and how old the oldest is. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function readOutboxBacklog(db: Db): Promise<{ readonly count: number; readonly oldestAgeSeconds: number }> {
  const [row] = await db.execute(sql`
    select count(*)::text as count, coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::text as age
      from outbox
     where published_at is null`);
  return { count: Number(row?.["count"] ?? 0), oldestAgeSeconds: Math.max(0, Number(row?.["age"] ?? 0)) };
}
