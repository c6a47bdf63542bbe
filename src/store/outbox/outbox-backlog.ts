import { sql, type SQL } from "drizzle-orm";
import { TOOK_EFFECT } from "../events/dead-letter-list.ts";
import type { Db } from "../postgres/database.ts";

/** How many messages of the outbox wait to leave, and how old the oldest is. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function readOutboxBacklog(db: Db): Promise<{ readonly count: number; readonly oldestAgeSeconds: number }> {
  const [row] = await db.execute(sql`
    select count(*)::text as count, coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::text as age
      from outbox
     where published_at is null`);
  return { count: Number(row?.["count"] ?? 0), oldestAgeSeconds: Math.max(0, Number(row?.["age"] ?? 0)) };
}

/** Rows of one kind are counted up to this number: a larger one would say no more and cost more. */
const MAX_COUNTED = 100_000;

/** How many dead letters were never sent again or refused again, and how many deliveries of webhooks wait or failed, by kind. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function readWaitingItems(db: Db): Promise<Record<string, number>> {
  const deliveries = (status: "pending" | "failed") =>
    sql`(select count(*) from (select 1 from webhook_deliveries where status = ${status} and status in ('pending', 'failed') limit ${MAX_COUNTED}) d)::integer`;
  const refusedAgain = sql`refused_again_at is not null and refused_again_at >= redriven_at and not ${TOOK_EFFECT}`;
  const letters = (which: SQL) => sql`(select count(*) from (select 1 from dead_letters d where ${which} limit ${MAX_COUNTED}) l)::integer`;
  const [row] = await db.execute<{ letters: number; pending: number; failed: number }>(sql`
    select ${letters(sql`redriven_at is null`)} + ${letters(refusedAgain)} as letters,
           ${deliveries("pending")} as pending, ${deliveries("failed")} as failed`);
  return { dead_letters: row?.letters ?? 0, webhook_deliveries_pending: row?.pending ?? 0, webhook_deliveries_failed: row?.failed ?? 0 };
}
