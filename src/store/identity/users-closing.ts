import { sql } from "drizzle-orm";
import { DomainError } from "../../base/errors.ts";
import type { Role } from "../../contract/identity.ts";
import type { Db } from "../postgres/database.ts";

/** A user as others may know them. */
export interface UserRecord {
  readonly userId: string;
  /** When money first came after the user was last deleted, or when they registered, whichever was first. */
  readonly since: Date;
  /** There when the user has a login here. */
  readonly roles?: readonly Role[];
  /** There when that login is disabled. */
  readonly loginDisabledAt?: Date;
}

// A refused operation makes accounts but raises no version, so it makes nobody a user.
const hasAccounts = (userId: string) => sql`
  coalesce((select sum(a.version) from accounts a where a.owner = ${userId} and a.kind in ('available', 'held')), 0)
    > coalesce((select c.closed_version from closed_users c where c.user_id = ${userId}), 0)`;

/** True when the user had money since they were last deleted, or ever. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function userExists(db: Db, userId: string): Promise<boolean> {
  const [row] = await db.execute<{ exists: boolean }>(sql`select ${hasAccounts(userId)} as exists`);
  return row?.exists === true;
}

/** The user, who has or had money here or can log in; undefined for any other id and for a deleted user. */
export async function getUser(db: Db, userId: string): Promise<UserRecord | undefined> {
  // Ranges of the indexes on user and id instead of equalities: see `startOf` in operation-list-statement.ts.
  const [row] = await db.execute<{
    exists: boolean;
    since: string | null;
    registered_at: string | null;
    roles: string | null;
    login_disabled_at: string | null;
  }>(sql`
    with closed as (select coalesce((select c.closed_at from closed_users c where c.user_id = ${userId}), '-infinity') as at),
    login as (select u.created_at, u.login_disabled_at, to_json(u.roles) as roles from users u where u.id = ${userId} and u.disabled_at is null)
    select ${hasAccounts(userId)} as exists,
           least(
             (select o.recorded_at from operations o, closed
               where o.user_id >= ${userId} and o.user_id <= ${userId} and o.outcome = 'done' and o.recorded_at > closed.at order by o.user_id, o.id limit 1),
             (select o.recorded_at from operations o, closed
               where o.peer_user_id >= ${userId} and o.peer_user_id <= ${userId} and o.outcome = 'done' and o.recorded_at > closed.at order by o.peer_user_id, o.id limit 1)
           ) as since,
           (select created_at from login) as registered_at,
           (select roles from login) as roles,
           (select login_disabled_at from login) as login_disabled_at`);
  if (row === undefined) return undefined;
  const known = [row.exists ? row.since : null, row.registered_at].flatMap((text) => (text === null ? [] : [new Date(text).getTime()]));
  if (known.length === 0) return undefined;
  return {
    userId,
    since: new Date(Math.min(...known)),
    ...(row.roles === null ? {} : { roles: JSON.parse(row.roles) as Role[] }),
    ...(row.login_disabled_at === null ? {} : { loginDisabledAt: new Date(row.login_disabled_at) }),
  };
}

/**
 * Deletes a user: their login and sessions end, and the id is no user's until money comes for it again. The history stays.
 * Returns the ids of the ended sessions whose access tokens may live on.
 * Locks: the user's accounts, by id, as the ledger does. Money of the same moment either prevents the deletion or arrives after it.
 * Safe to retry: a user who is deleted already is not found.
 * Throws: USER_NOT_FOUND; USER_IN_USE with money, available or held, in any currency, open holds or running orders; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function closeUser(
  db: Db,
  { userId, actor, correlationId }: { readonly userId: string; readonly actor: string; readonly correlationId: string },
): Promise<string[]> {
  const [row] = await db.execute<{ outcome: string }>(sql`select close_user(${userId}, ${actor}, ${correlationId}) as outcome`);
  const outcome = row?.outcome;
  if (outcome !== "closed") throw new DomainError(outcome === "USER_IN_USE" || outcome === "USER_NOT_FOUND" ? outcome : "INTERNAL");
  const ended = await db.execute<{ id: string }>(sql`
    select id from sessions where user_id = ${userId} and reason = 'user deleted' and expires_at > clock_timestamp()`);
  return ended.map(({ id }) => id);
}
