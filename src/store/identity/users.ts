import { eq, sql } from "drizzle-orm";
import { users } from "../../../drizzle/schema/identity.ts";
import { DomainError } from "../../base/errors.ts";
import type { Role } from "../../contract/identity.ts";
import type { Db } from "../postgres/database.ts";

export interface UserRecord {
  readonly id: string;
  readonly login: string;
  readonly roles: readonly Role[];
  /** True of a deleted user, and of one whose login an operator disabled. */
  readonly disabled: boolean;
}

/** A user with the hash of their password. */
export interface UserWithPassword extends UserRecord {
  readonly passwordHash: string;
}

/** A user to be. `passwordHash` is as `PasswordHasher.hash` makes it. */
interface NewUser {
  readonly id: string;
  readonly login: string;
  readonly passwordHash: string;
  readonly roles: readonly Role[];
}

/**
 * Adds a user. Throws: LOGIN_TAKEN when the id or the login is another user's, or a deleted user's; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function createUser(db: Db, user: NewUser): Promise<UserRecord> {
  const [row] = await db
    .insert(users)
    .values({ ...user, roles: [...user.roles] })
    .onConflictDoNothing()
    .returning();
  if (row === undefined) throw new DomainError("LOGIN_TAKEN");
  return toUser(row);
}

/** What stands in the place of a deleted user's login once that was given to another: with a slash it is nobody's login. */
const GIVEN_AWAY = "deleted/";

/**
 * As `createUser`, by an admin: the id or the login may be a deleted user's. Of a deleted user who gets a login again nothing else comes back: the
 * sessions stay ended and tokens up to the deletion refused. Notes the act, all in one statement.
 * Not safe to retry: the second call finds the login taken. Throws: LOGIN_TAKEN, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function giveLogin(
  db: Db,
  { id, login, passwordHash, roles, actor, correlationId }: NewUser & { readonly actor: string; readonly correlationId: string },
): Promise<UserRecord> {
  // `freed` is read by the two that follow, so its row has given up the login before theirs take it.
  const [row] = await db.execute<{ id: string }>(sql`
    with wanted as (select array(select json_array_elements_text(${JSON.stringify(roles)}::json)) as roles),
    freed as (
      update users set login = ${GIVEN_AWAY} || id where login = ${login} and id <> ${id} and disabled_at is not null
         and not exists (select from users there where there.id = ${id} and there.disabled_at is null)
      returning id
    ),
    revived as (
      update users u set login = ${login}, password_hash = ${passwordHash}, roles = w.roles, created_at = clock_timestamp(), disabled_at = null,
             login_disabled_at = null
        from wanted w, (select count(*) from freed) f
       where u.id = ${id} and u.disabled_at is not null
         and not exists (select from users other where other.login = ${login} and other.id <> ${id} and other.disabled_at is null)
      returning u.id
    ),
    added as (
      insert into users (id, login, password_hash, roles)
      select ${id}, ${login}, ${passwordHash}, w.roles from wanted w, (select count(*) from freed) f where not exists (select from revived)
      on conflict do nothing returning id
    ),
    given as (select id, 'again' as how from revived union all select id, 'first' from added),
    noted as (
      insert into acts (actor, act, subject_type, subject_id, reason, details, correlation_id)
      select ${actor}, 'user.login', 'user', g.id, 'given by an admin',
             jsonb_build_object('how', g.how, 'of', coalesce((select id from freed), '')), ${correlationId}
        from given g
    )
    select id from given`);
  if (row === undefined) throw new DomainError("LOGIN_TAKEN");
  return { id, login, roles, disabled: false };
}

/** The user with that login, or undefined. */
export async function findUserByLogin(db: Db, login: string): Promise<UserWithPassword | undefined> {
  const [row] = await db.select().from(users).where(eq(users.login, login));
  return row === undefined ? undefined : { ...toUser(row), passwordHash: row.passwordHash };
}

/** The same by the user's id. */
export async function findUserWithPassword(db: Db, id: string): Promise<UserWithPassword | undefined> {
  const [row] = await db.select().from(users).where(eq(users.id, id));
  return row === undefined ? undefined : { ...toUser(row), passwordHash: row.passwordHash };
}

/** The user with that id, or undefined: external users and operators have no row. */
export async function findUser(db: Db, id: string): Promise<UserRecord | undefined> {
  const [row] = await db.select().from(users).where(eq(users.id, id));
  return row === undefined ? undefined : toUser(row);
}

/** Replaces the password's hash when it still is `from`. Safe to retry: of two calls only one finds it. */
export async function replacePasswordHash(
  db: Db,
  input: { readonly userId: string; readonly from: string; readonly to: string },
): Promise<void> {
  await db
    .update(users)
    .set({ passwordHash: input.to })
    .where(sql`${users.id} = ${input.userId} and ${users.passwordHash} = ${input.from}`);
}

/**
 * Gives the user these roles, ends their sessions when that changes anything, and notes the act, all in one statement. A login
 * of the same moment gets the new roles, or a second statement ends its session.
 * Locks: the user's row. Safe to retry: roles that the user has already change nothing. Throws: USER_NOT_FOUND.
 */
export async function changeRoles(
  db: Db,
  input: {
    readonly userId: string;
    readonly roles: readonly Role[];
    readonly actor: string;
    readonly reason: string;
    readonly correlationId: string;
  },
): Promise<{ readonly user: UserRecord; readonly endedSessions: readonly string[] }> {
  const roles = JSON.stringify(input.roles);
  const [row] = await db.execute<{ login: string; ended: string }>(sql`
    with wanted as (select array(select json_array_elements_text(${roles}::json)) as roles),
    before as (select id, login, roles from users where id = ${input.userId} for update),
    changed as (
      update users u set roles = w.roles from before b, wanted w where u.id = b.id and b.roles <> w.roles
      returning u.id, b.roles as old
    ),
    ended as (
      update sessions s set revoked_at = clock_timestamp(), reason = 'the roles were changed' from changed c
       where s.user_id = c.id and s.revoked_at is null
      returning s.id
    ),
    noted as (
      insert into acts (recorded_at, actor, act, subject_type, subject_id, reason, details, correlation_id)
      select clock_timestamp(), ${input.actor}, 'user.roles', 'user', c.id, ${input.reason},
             jsonb_build_object('from', array_to_string(c.old, ' '), 'to', (select array_to_string(roles, ' ') from wanted)), ${input.correlationId}
        from changed c
    )
    select b.login, coalesce((select json_agg(e.id) from ended e), '[]')::text as ended from before b`);
  if (row === undefined) throw new DomainError("USER_NOT_FOUND");
  const late = await endSessionsBeforeLastChange(db, input.userId);
  return {
    user: { id: input.userId, login: row.login, roles: input.roles, disabled: false },
    endedSessions: [...(JSON.parse(row.ended) as string[]), ...late],
  };
}

// A session that was opened while the change waited for the user's row is younger than that statement's view of the sessions.
async function endSessionsBeforeLastChange(db: Db, userId: string): Promise<string[]> {
  const rows = await db.execute<{ id: string }>(sql`
    update sessions s set revoked_at = clock_timestamp(), reason = 'the roles were changed'
     where s.user_id = ${userId} and s.revoked_at is null
       and s.created_at <= (select max(a.recorded_at) from acts a
                             where a.subject_type = 'user' and a.subject_id = ${userId} and a.act = 'user.roles')
    returning s.id`);
  return rows.map(({ id }) => id);
}

function toUser(row: typeof users.$inferSelect): UserRecord {
  return { id: row.id, login: row.login, roles: row.roles as Role[], disabled: row.disabledAt !== null || row.loginDisabledAt !== null };
}
