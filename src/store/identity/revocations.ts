import { sql } from "drizzle-orm";
import { createBatcher } from "../../base/batching.ts";
import { DomainError } from "../../base/errors.ts";
import type { TokenClient } from "../../contract/identity.ts";
import type { Db } from "../postgres/database.ts";
import { keyIsLive, secretIsLive } from "./live-keys.ts";

/** What a token is looked up by to know whether it was revoked. */
export interface TokenIdentity {
  readonly id: string;
  readonly subject: string;
  readonly sessionId: string | undefined;
  readonly client?: TokenClient | undefined;
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

/** An operator's wish that no token of a subject that was issued up to a moment be taken any more. */
export interface SubjectRevocation {
  readonly subject: string;
  /** Now, by the later of Postgres' and this process's clock, without it. */
  readonly upTo: Date | undefined;
  readonly actor: string;
  readonly reason: string;
  readonly correlationId: string;
}

/**
 * Refuses every token of the subject that was issued up to that moment, ends the sessions and the API keys of that time, which could make new ones, and
 * notes the act, in one statement. Returns the moment that is in force, and the ids of the sessions and the keys that are ended.
 * Safe to retry: an earlier moment changes nothing; each call is noted.
 */
export async function revokeSubject(
  db: Db,
  { subject, upTo, actor, reason, correlationId }: SubjectRevocation,
): Promise<{ readonly revokedUpTo: Date; readonly endedSessions: readonly string[]; readonly endedKeys: readonly string[] }> {
  // Sessions and keys have their time from Postgres, tokens theirs from the process that signed them.
  const now = sql`greatest(clock_timestamp(), ${new Date().toISOString()}::timestamptz)`;
  const [row] = await db.execute<{ up_to: string; ended: string; ended_keys: string }>(sql`
    with wish as materialized (select ${upTo === undefined ? now : sql`${upTo.toISOString()}::timestamptz`} as moment),
    marked as (
      insert into revoked_subjects (subject, revoked_up_to) select ${subject}, moment from wish
      on conflict (subject) do update set revoked_up_to = greatest(revoked_subjects.revoked_up_to, excluded.revoked_up_to)
      returning revoked_up_to
    ),
    ended as (
      update sessions s set revoked_at = coalesce(s.revoked_at, clock_timestamp()), reason = coalesce(s.reason, 'all tokens were revoked')
        from wish
       where s.user_id = ${subject} and s.created_at <= wish.moment and s.expires_at > clock_timestamp()
      returning s.id
    ),
    ended_keys as (
      update api_keys k set revoked_at = coalesce(k.revoked_at, clock_timestamp())
        from wish
       where k.subject = ${subject} and k.created_at <= wish.moment
      returning k.id
    ),
    noted as (
      insert into acts (actor, act, subject_type, subject_id, reason, details, correlation_id)
      select ${actor}, 'tokens.revoked', 'user', ${subject}, ${reason},
             jsonb_build_object('upTo', to_char(moment at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')), ${correlationId}
        from wish
    )
    select (extract(epoch from m.revoked_up_to) * 1000)::bigint::text as up_to, coalesce((select json_agg(e.id) from ended e), '[]')::text as ended,
           coalesce((select json_agg(e.id) from ended_keys e), '[]')::text as ended_keys
      from marked m`);
  if (row === undefined) throw new DomainError("INTERNAL", "the revocation was not written");
  return {
    revokedUpTo: new Date(Number(row.up_to)),
    endedSessions: JSON.parse(row.ended) as string[],
    endedKeys: JSON.parse(row.ended_keys) as string[],
  };
}

/** True when the token may no longer be taken. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export type ReadRevocation = (token: TokenIdentity) => Promise<boolean>;

const MAX_BATCH = 500;

/** Looks up the tokens of the same moment with one statement, at most `parallel` statements at a time. Each begins after its callers asked. */
export function createRevocationReader(db: Db, parallel = 2): ReadRevocation {
  return createBatcher({ maxBatch: MAX_BATCH, parallel, run: (tokens) => readRevoked(db, tokens) });
}

// A token's time has whole seconds, so of a session its beginning counts: one that began after a revocation is good, one that began before is not,
// also where it was being opened while the revocation was written, and its tokens were issued later.
// A session without a row is refused as well: it was removed after its end, or the database was restored to a moment before it.
// A token of client credentials needs its key, and the key is younger than every moment up to which its subject was refused.
async function readRevoked(db: Db, tokens: readonly TokenIdentity[]): Promise<boolean[]> {
  const asked = tokens.map(({ id, subject, sessionId, client, issuedAtMs }, place) => ({
    place,
    id,
    subject,
    session: sessionId ?? null,
    client: client?.keyId ?? null,
    generation: client?.generation ?? null,
    issued: new Date(issuedAtMs).toISOString(),
  }));
  const rows = await db.execute<{ place: number }>(sql`
    select a.place
      from json_to_recordset(${JSON.stringify(asked)}::json) as a(place integer, id text, subject text, session text, client text, generation integer, issued timestamptz)
     where exists (select from revoked_tokens t where t.token_id = a.id)
        or (a.session is not null and not exists (select from sessions s where s.id = a.session and s.revoked_at is null))
        or exists (select from users u where u.id = a.subject and u.login_disabled_at is not null)
        or (a.client is not null and not exists (select from api_keys k, jsonb_array_elements(k.secrets) s
                      where k.id = a.client and ${keyIsLive} and (s ->> 'generation')::integer = a.generation and ${secretIsLive}))
        or (a.client is null and exists (select from revoked_subjects r where r.subject = a.subject
                      and case when a.session is null then a.issued <= r.revoked_up_to
                               else not exists (select from sessions s where s.id = a.session and s.created_at > r.revoked_up_to) end))`);
  const revoked = new Set(rows.map(({ place }) => place));
  return tokens.map((_token, place) => revoked.has(place));
}
