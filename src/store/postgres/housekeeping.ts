import { sql, type SQL } from "drizzle-orm";
import type { Db } from "./database.ts";

/** Rows that one statement removes: few enough that no other statement waits long for their locks. */
const PIECE = 1_000;

/** What is removed besides the outbox, and when: only rows that no request can ask for any more. */
const EXPIRED: Readonly<Record<string, SQL>> = {
  idempotency_answers: sql`delete from idempotency_answers where key in (select key from idempotency_answers where created_at < clock_timestamp() - interval '30 days' order by created_at limit ${PIECE})`,
  refresh_tokens: sql`delete from refresh_tokens where hash in (select hash from refresh_tokens where expires_at < clock_timestamp() - interval '1 day' order by expires_at limit ${PIECE})`,
  // A session stays as long as one of its refresh tokens.
  sessions: sql`delete from sessions where id in (select s.id from sessions s where s.expires_at < clock_timestamp() - interval '1 day' and not exists (select from refresh_tokens t where t.session_id = s.id) order by s.expires_at limit ${PIECE})`,
  // A token past its end is refused for its age, without this row.
  revoked_tokens: sql`delete from revoked_tokens where token_id in (select token_id from revoked_tokens where expires_at < clock_timestamp() - interval '1 day' order by expires_at limit ${PIECE})`,
  // A webhook's log, and what a receiver that takes nothing has kept waiting for as long; a delivery that has begun stays.
  webhook_deliveries: sql`delete from webhook_deliveries where id in (select id from webhook_deliveries where created_at < clock_timestamp() - interval '30 days' and (status <> 'pending' or dispatched_at is null) order by created_at limit ${PIECE})`,
  // The provider sends an event again for a month at most; what it does is done once by its own keys, too.
  provider_events: sql`delete from provider_events where id in (select id from provider_events where received_at < clock_timestamp() - interval '60 days' order by received_at limit ${PIECE})`,
  self_audits: sql`delete from self_audits where id in (select id from self_audits where at < clock_timestamp() - interval '7 days' order by at limit ${PIECE})`,
};

/** The tables that `pruneExpired` knows. */
export const EXPIRING_TABLES: readonly string[] = Object.keys(EXPIRED);

/** Removes what has expired from one of `EXPIRING_TABLES`, at most 1,000 rows; returns how many. Safe to retry. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function pruneExpired(db: Db, table: string): Promise<number> {
  const statement = EXPIRED[table];
  if (statement === undefined) throw new Error(`nothing is known to expire in ${table}`);
  const [row] = await db.execute<{ removed: string }>(
    sql`with removed as (${statement} returning 1) select count(*) as removed from removed`,
  );
  return Number(row?.removed ?? 0);
}

/**
 * Removes messages that were published more than `keepMs` ago, from the next 1,000 rows of the outbox behind `afterId`, so that a run looks at
 * each row once however many wait in between. `nextId` is where to go on; undefined when no row that is old enough follows.
 * Safe to retry. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function pruneOutbox(
  db: Db,
  { keepMs, afterId }: { readonly keepMs: number; readonly afterId: string },
): Promise<{ readonly removed: number; readonly nextId: string | undefined }> {
  const [row] = await db.execute<{ removed: string; next_id: string | null }>(sql`
    with next as (
      select id, published_at from outbox
       where id > ${afterId}::bigint and created_at < clock_timestamp() - make_interval(secs => ${keepMs / 1_000})
       order by id limit ${PIECE}
    ), removed as (
      delete from outbox o using next n
       where o.id = n.id and n.published_at < clock_timestamp() - make_interval(secs => ${keepMs / 1_000})
      returning o.id
    )
    select (select count(*) from removed) as removed, (select max(id) from next having count(*) = ${PIECE})::text as next_id`);
  return { removed: Number(row?.removed ?? 0), nextId: row?.next_id ?? undefined };
}
