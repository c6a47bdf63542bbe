import { sql } from "drizzle-orm";
import type { Role } from "../../contract/identity.ts";
import type { Db } from "../postgres/database.ts";

/**
 * Opens a session with its first refresh token (`refreshHash` is its SHA-256) and returns the user's roles at that moment. Undefined,
 * without a session, when the user was deleted, when their login is disabled, or when `passwordHash`, which was checked, is not the user's any more.
 * Locks: the user's row, shared, so that a change of roles comes wholly before the session or ends it.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function openSession(
  db: Db,
  session: {
    readonly id: string;
    readonly userId: string;
    readonly passwordHash: string;
    readonly refreshHash: string;
    readonly expiresAt: Date;
  },
): Promise<readonly Role[] | undefined> {
  const expiresAt = session.expiresAt.toISOString();
  // The time is taken under the lock: `changeRoles` tells by it which sessions were opened with the roles before.
  const [row] = await db.execute<{ roles: string }>(sql`
    with owner as (
      select id, roles from users
       where id = ${session.userId} and disabled_at is null and login_disabled_at is null and password_hash = ${session.passwordHash} for share
    ),
    opened as (
      insert into sessions (id, user_id, created_at, expires_at)
      select ${session.id}, id, clock_timestamp(), ${expiresAt}::timestamptz from owner returning id
    ),
    token as (insert into refresh_tokens (hash, session_id, expires_at) select ${session.refreshHash}, id, ${expiresAt}::timestamptz from opened)
    select array_to_json(roles)::text as roles from owner`);
  return row === undefined ? undefined : (JSON.parse(row.roles) as Role[]);
}

/** What became of a refresh: the session goes on; the token was used before, so its session has ended; or there is no such token. */
export type Refreshed =
  | { readonly outcome: "refreshed"; readonly sessionId: string; readonly userId: string; readonly roles: readonly Role[] }
  | { readonly outcome: "reused"; readonly sessionId: string; readonly userId: string }
  | { readonly outcome: "unknown" };

/**
 * Uses a refresh token up and puts the next one in its place, which ends when the session does. Of two callers with the same token
 * only one finds it unused; the other ends the session for both, because one of them stole it (refresh token rotation, RFC 9700).
 */
export async function refreshSession(db: Db, hashes: { readonly used: string; readonly next: string }): Promise<Refreshed> {
  const [row] = await db.execute<{ session_id: string; user_id: string; roles: string }>(sql`
    with used as (
      update refresh_tokens t set used_at = clock_timestamp()
        from sessions s, users u
       where t.hash = ${hashes.used} and t.used_at is null and t.expires_at > clock_timestamp()
         and s.id = t.session_id and s.revoked_at is null and s.expires_at > clock_timestamp()
         and u.id = s.user_id and u.disabled_at is null and u.login_disabled_at is null
         and not exists (select from revoked_subjects r where r.subject = s.user_id and s.created_at <= r.revoked_up_to)
      returning s.id as session_id, s.user_id, s.expires_at, u.roles
    ),
    next as (insert into refresh_tokens (hash, session_id, expires_at) select ${hashes.next}, session_id, expires_at from used)
    select session_id, user_id, array_to_json(roles)::text as roles from used`);
  if (row !== undefined)
    return { outcome: "refreshed", sessionId: row.session_id, userId: row.user_id, roles: JSON.parse(row.roles) as Role[] };
  const [reused] = await db.execute<{ id: string; user_id: string }>(sql`
    update sessions s
       set revoked_at = coalesce(s.revoked_at, clock_timestamp()), reason = coalesce(s.reason, 'a refresh token was used twice')
      from refresh_tokens t
     where t.hash = ${hashes.used} and t.used_at is not null and s.id = t.session_id
    returning s.id, s.user_id`);
  return reused === undefined ? { outcome: "unknown" } : { outcome: "reused", sessionId: reused.id, userId: reused.user_id };
}
