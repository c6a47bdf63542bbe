import { sql } from "drizzle-orm";
import { DomainError } from "../../base/errors.ts";
import type { Role } from "../../contract/identity.ts";
import type { Db } from "../postgres/database.ts";

/**
 * Disables or enables a login and notes the act, in one statement. Either way the user's sessions end and their tokens up to now are refused: a session
 * that was opened while the login was being disabled must not come back when it is enabled. Returns the ended sessions.
 * Locks: the user's row, which opening a session reads. Safe to retry: the first moment of disabling stays; each call is noted.
 * Throws: USER_NOT_FOUND without a login of that id, or with a deleted one; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function setLoginDisabled(
  db: Db,
  input: {
    readonly userId: string;
    readonly isDisabled: boolean;
    readonly actor: string;
    readonly reason: string;
    readonly correlationId: string;
  },
): Promise<{ readonly login: string; readonly roles: readonly Role[]; readonly endedSessions: readonly string[] }> {
  const { userId, isDisabled } = input;
  const [row] = await db.execute<{ login: string; roles: string; ended: string }>(sql`
    with changed as (
      update users u set login_disabled_at = case when ${isDisabled} then coalesce(u.login_disabled_at, clock_timestamp()) end
       where u.id = ${userId} and u.disabled_at is null
      returning u.id, u.login, array_to_json(u.roles)::text as roles
    ),
    refused as (
      insert into revoked_subjects (subject, revoked_up_to) select id, clock_timestamp() from changed
      on conflict (subject) do update set revoked_up_to = greatest(revoked_subjects.revoked_up_to, excluded.revoked_up_to)
    ),
    ended as (
      update sessions s set revoked_at = clock_timestamp(), reason = 'the login was disabled or enabled' from changed c
       where s.user_id = c.id and s.revoked_at is null
      returning s.id
    ),
    noted as (
      insert into acts (actor, act, subject_type, subject_id, reason, details, correlation_id)
      select ${input.actor}, ${isDisabled ? "login.disabled" : "login.enabled"}, 'user', c.id, ${input.reason}, '{}', ${input.correlationId} from changed c
    )
    select c.login, c.roles, coalesce((select json_agg(e.id) from ended e), '[]')::text as ended from changed c`);
  if (row === undefined) throw new DomainError("USER_NOT_FOUND");
  return { login: row.login, roles: JSON.parse(row.roles) as Role[], endedSessions: JSON.parse(row.ended) as string[] };
}

/**
 * Replaces a password whose hash still is `from`, ends every session of the user, refuses their tokens up to now, and opens a new session, in one
 * statement; notes the act. Returns the roles and the ended sessions; undefined when the hash is another by now, or the login is disabled.
 * Locks: the user's row, which opening a session reads. Safe to retry: the second call finds another hash. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function changePasswordHash(
  db: Db,
  input: {
    readonly userId: string;
    readonly from: string;
    readonly to: string;
    readonly session: { readonly id: string; readonly refreshHash: string; readonly expiresAt: Date };
    readonly correlationId: string;
  },
): Promise<{ readonly roles: readonly Role[]; readonly endedSessions: readonly string[] } | undefined> {
  const { userId, session, correlationId } = input;
  const expiresAt = session.expiresAt.toISOString();
  // The new session is younger than the moment up to which tokens are refused, by which its tokens are told from those.
  const [row] = await db.execute<{ roles: string; ended: string }>(sql`
    with changed as (
      update users set password_hash = ${input.to}
       where id = ${userId} and password_hash = ${input.from} and disabled_at is null and login_disabled_at is null
      returning id, array_to_json(roles)::text as roles
    ),
    refused as (
      insert into revoked_subjects (subject, revoked_up_to) select id, clock_timestamp() from changed
      on conflict (subject) do update set revoked_up_to = greatest(revoked_subjects.revoked_up_to, excluded.revoked_up_to)
      returning revoked_up_to
    ),
    ended as (
      update sessions s set revoked_at = clock_timestamp(), reason = 'the password was changed' from changed c
       where s.user_id = c.id and s.revoked_at is null
      returning s.id
    ),
    opened as (
      insert into sessions (id, user_id, created_at, expires_at)
      select ${session.id}, c.id, greatest(clock_timestamp(), r.revoked_up_to + interval '1 microsecond'), ${expiresAt}::timestamptz from changed c, refused r returning id
    ),
    token as (insert into refresh_tokens (hash, session_id, expires_at) select ${session.refreshHash}, id, ${expiresAt}::timestamptz from opened),
    noted as (
      insert into acts (actor, act, subject_type, subject_id, reason, details, correlation_id)
      select id, 'password.changed', 'user', id, 'asked for', '{}', ${correlationId} from changed
    )
    select c.roles, coalesce((select json_agg(e.id) from ended e), '[]')::text as ended from changed c`);
  return row === undefined ? undefined : { roles: JSON.parse(row.roles) as Role[], endedSessions: JSON.parse(row.ended) as string[] };
}
