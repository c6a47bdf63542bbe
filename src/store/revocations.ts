import { sql } from "drizzle-orm";
import type { Db } from "./database.ts";

/** What tells whether a token was revoked. */
export interface TokenIdentity {
  readonly id: string;
  readonly subject: string;
  readonly sessionId: string | undefined;
  readonly issuedAtMs: number;
}

/** What is to be refused from now on. */
export interface Logout {
  /** The token, until it would have ended. */
  readonly token?: { readonly id: string; readonly subject: string; readonly refusedUntil: Date } | undefined;
  readonly sessionId?: string | undefined;
  /** The SHA-256 of a refresh token whose session ends as well, when it is a session of this user, or of anyone with `ofAnyone`. */
  readonly refresh?: { readonly hash: string; readonly userId: string; readonly ofAnyone: boolean } | undefined;
}

/**
 * Refuses a token and ends sessions, in one statement. Safe to retry: what is refused stays refused.
 * Returns the sessions that have ended by it or before.
 */
export async function recordLogout(db: Db, { token, sessionId, refresh }: Logout): Promise<readonly string[]> {
  const rows = await db.execute<{ id: string }>(sql`
    with refused as (
      insert into revoked_tokens (token_id, subject, expires_at)
      select ${token?.id ?? null}, ${token?.subject ?? null}, ${token?.refusedUntil.toISOString() ?? null}::timestamptz
       where ${token !== undefined}
      on conflict (token_id) do nothing
    )
    update sessions s set revoked_at = coalesce(s.revoked_at, clock_timestamp()), reason = coalesce(s.reason, 'logout')
     where s.id = ${sessionId ?? null}
        or (s.id = (select t.session_id from refresh_tokens t where t.hash = ${refresh?.hash ?? null})
            and (${refresh?.ofAnyone ?? false} or s.user_id = ${refresh?.userId ?? null}))
    returning s.id`);
  return rows.map(({ id }) => id);
}

/** Refuses every token of the subject that was issued up to that moment. Safe to retry: an earlier moment changes nothing. */
export async function revokeSubject(db: Db, input: { readonly subject: string; readonly upTo: Date }): Promise<void> {
  const upTo = input.upTo.toISOString();
  await db.execute(sql`
    insert into revoked_subjects (subject, revoked_up_to) values (${input.subject}, ${upTo}::timestamptz)
    on conflict (subject) do update set revoked_up_to = greatest(revoked_subjects.revoked_up_to, excluded.revoked_up_to)`);
}

/** Removes what no token can meet any more: refusals, sessions and refresh tokens that ended before this moment. Safe to retry. */
export async function forgetEndedSessions(db: Db, endedBefore: Date): Promise<void> {
  const before = endedBefore.toISOString();
  await db.execute(sql`delete from revoked_tokens where expires_at < ${before}::timestamptz`);
  await db.execute(sql`delete from refresh_tokens where expires_at < ${before}::timestamptz`);
  await db.execute(sql`
    delete from sessions s where s.expires_at < ${before}::timestamptz and not exists (select from refresh_tokens t where t.session_id = s.id)`);
}

/** True when the token may no longer be taken. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export type ReadRevocation = (token: TokenIdentity) => Promise<boolean>;

interface Waiting {
  readonly token: TokenIdentity;
  readonly resolve: (revoked: boolean) => void;
  readonly reject: (error: unknown) => void;
}

const MAX_BATCH = 500;

/** Asks Postgres for tokens of the same moment with one statement, at most `parallel` at a time. Each begins after its callers asked. */
export function createRevocationReader(db: Db, parallel = 2): ReadRevocation {
  let queue: Waiting[] = [];
  let running = 0;
  let planned = false;

  const plan = () => {
    if (planned || queue.length === 0 || running >= parallel) return;
    planned = true;
    setImmediate(() => {
      planned = false;
      const batch = queue.slice(0, MAX_BATCH);
      queue = queue.slice(MAX_BATCH);
      running += 1;
      void answer(db, batch).finally(() => {
        running -= 1;
        plan();
      });
      plan();
    });
  };

  return (token) =>
    new Promise((resolve, reject) => {
      queue.push({ token, resolve, reject });
      plan();
    });
}

async function answer(db: Db, batch: readonly Waiting[]): Promise<void> {
  try {
    const revoked = await readRevoked(
      db,
      batch.map(({ token }) => token),
    );
    for (const [place, { resolve }] of batch.entries()) resolve(revoked.has(place));
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}

// A session that is not there is refused as well: it ended, or the database was set back to a moment before it.
async function readRevoked(db: Db, tokens: readonly TokenIdentity[]): Promise<Set<number>> {
  const asked = tokens.map(({ id, subject, sessionId, issuedAtMs }, place) => ({
    place,
    id,
    subject,
    session: sessionId ?? null,
    issued: new Date(issuedAtMs).toISOString(),
  }));
  const rows = await db.execute<{ place: number }>(sql`
    select a.place
      from json_to_recordset(${JSON.stringify(asked)}::json) as a(place integer, id text, subject text, session text, issued timestamptz)
     where exists (select from revoked_tokens t where t.token_id = a.id)
        or (a.session is not null and not exists (select from sessions s where s.id = a.session and s.revoked_at is null))
        or exists (select from revoked_subjects r where r.subject = a.subject and a.issued <= r.revoked_up_to)`);
  return new Set(rows.map(({ place }) => place));
}
