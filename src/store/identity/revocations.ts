import { sql } from "drizzle-orm";
import { createBatcher } from "../postgres/batching.ts";
import type { Db } from "../postgres/database.ts";

/** What a token is looked up by to know whether it was revoked. */
export interface TokenIdentity {
  readonly id: string;
  readonly subject: string;
  readonly sessionId: string | undefined;
  readonly issuedAtMs: number;
}

/** What is to be refused from now on. */
export interface Logout {
  /** The access token, refused until it would have ended. */
  readonly token?: { readonly id: string; readonly subject: string; readonly refusedUntil: Date } | undefined;
  readonly sessionId?: string | undefined;
  /** The SHA-256 of a refresh token whose session ends as well: a session of this user, or of any user with `ofAnyone`. */
  readonly refresh?: { readonly hash: string; readonly userId: string; readonly ofAnyone: boolean } | undefined;
}

/**
 * Refuses a token and ends sessions, in one statement. Safe to retry: what is refused stays refused.
 * Returns the ids of the sessions that are ended, by this call or before.
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

/** True when the token may no longer be taken. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export type ReadRevocation = (token: TokenIdentity) => Promise<boolean>;

const MAX_BATCH = 500;

/** Looks up the tokens of the same moment with one statement, at most `parallel` statements at a time. Each begins after its callers asked. */
export function createRevocationReader(db: Db, parallel = 2): ReadRevocation {
  return createBatcher({ maxBatch: MAX_BATCH, parallel, run: (tokens) => readRevoked(db, tokens) });
}

// A session without a row is refused as well: it was removed after its end, or the database was restored to a moment before it.
async function readRevoked(db: Db, tokens: readonly TokenIdentity[]): Promise<boolean[]> {
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
  const revoked = new Set(rows.map(({ place }) => place));
  return tokens.map((_token, place) => revoked.has(place));
}
