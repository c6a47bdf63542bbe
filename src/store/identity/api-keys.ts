import { sql } from "drizzle-orm";
import { createBatcher } from "../../base/batching.ts";
import { DomainError } from "../../base/errors.ts";
import type { Scope } from "../../contract/scopes.ts";
import type { Db } from "../postgres/database.ts";
import type { Page } from "../postgres/page.ts";
import { keyIsLive, secretIsLive } from "./live-keys.ts";

/** An API key without its secrets. */
export interface ApiKeyRecord {
  readonly keyId: string;
  readonly name: string;
  readonly subject: string;
  readonly scopes: readonly Scope[];
  /** `ended`: it was revoked, or its subject's tokens were, or its login is disabled. */
  readonly status: "active" | "expired" | "ended";
  /** Postgres' own text, as a Date would lose its microseconds. */
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: Date;
  readonly rotatedAt: Date | undefined;
  readonly revokedAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
  /** When the last of the secrets ends that were replaced; undefined when none opens the key any more. */
  readonly replacedSecretsEndAt: Date | undefined;
}

/** Who acts on a key, and for which request. */
interface Acting {
  readonly actor: string;
  readonly correlationId: string;
}

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly name: string;
  readonly subject: string;
  readonly scopes: string;
  readonly status: ApiKeyRecord["status"];
  readonly created_at: string;
  readonly created_by: string;
  readonly expires_at: string;
  readonly rotated_at: string | null;
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
  readonly replaced_until: string | null;
}

const COLUMNS = sql`k.id, k.name, k.subject, array_to_json(k.scopes)::text as scopes, k.created_at::text as created_at, k.created_by,
  k.expires_at::text as expires_at, k.rotated_at::text as rotated_at, k.revoked_at::text as revoked_at, k.last_used_at::text as last_used_at,
  case when ${keyIsLive} then 'active' when k.revoked_at is null and k.expires_at <= clock_timestamp() then 'expired' else 'ended' end as status,
  (select max((s ->> 'until')::timestamptz)::text from jsonb_array_elements(k.secrets) s where ${secretIsLive}) as replaced_until`;

/** Keeps a new key and notes the act, in one statement. Not safe to retry: the id is taken then (INTERNAL). Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function createApiKey(
  db: Db,
  input: Pick<ApiKeyRecord, "keyId" | "name" | "subject" | "scopes" | "expiresAt"> & Acting & { readonly secretHash: string },
): Promise<ApiKeyRecord> {
  const { keyId, name, subject, scopes, actor, correlationId } = input;
  const [row] = await db.execute<Row>(sql`
    with k as (
      insert into api_keys (id, name, subject, scopes, secrets, created_by, expires_at)
      values (${keyId}, ${name}, ${subject}, array(select json_array_elements_text(${JSON.stringify(scopes)}::json)),
              jsonb_build_array(jsonb_build_object('hash', ${input.secretHash}::text, 'generation', 1)), ${actor}, ${input.expiresAt.toISOString()}::timestamptz)
      on conflict (id) do nothing
      returning *
    ),
    noted as (
      insert into acts (actor, act, subject_type, subject_id, reason, details, correlation_id)
      select ${actor}, 'api-key.created', 'api-key', k.id, 'asked for', jsonb_build_object('subject', k.subject, 'scopes', array_to_string(k.scopes, ' '), 'expiresAt', ${input.expiresAt.toISOString()}::text), ${correlationId}
        from k
    )
    select ${COLUMNS} from k`);
  if (row === undefined) throw new DomainError("INTERNAL", "the id of an API key was taken");
  return toRecord(row);
}

/** A key, also one that has ended. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getApiKey(db: Db, keyId: string): Promise<ApiKeyRecord | undefined> {
  const [row] = await db.execute<Row>(sql`select ${COLUMNS} from api_keys k where k.id = ${keyId}`);
  return row === undefined ? undefined : toRecord(row);
}

/** A page of all keys, the newest first; one more than `limit` when there is a next page. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listApiKeys(db: Db, { limit, after }: Page): Promise<ApiKeyRecord[]> {
  const place = after === undefined ? sql`true` : sql`(k.created_at, k.id) < (${after.createdAt}::timestamptz, ${after.id})`;
  const rows = await db.execute<Row>(sql`
    select ${COLUMNS} from api_keys k where ${place} order by k.created_at desc, k.id desc limit ${limit + 1}::integer`);
  return [...rows].map(toRecord);
}

/** So many secrets of a key open it at a time. */
const MAX_SECRETS = 5;

/** What became of a request for a new secret. */
export type KeyRotation =
  | { readonly outcome: "rotated"; readonly key: ApiKeyRecord }
  /** `MAX_SECRETS` secrets open the key already; the first of them ends after `retryAfterMs`. */
  | { readonly outcome: "too many"; readonly retryAfterMs: number }
  /** The key has ended, or there is none. */
  | { readonly outcome: "not live" };

/**
 * Gives a key another secret, and another end when `expiresAt` says so. Those before it open the key for `overlapMs` more, or until their own end if
 * that is sooner. Notes the act, in one statement. Locks: the key's row, so that of a rotation and a revocation either comes wholly first.
 * Not safe to retry: each call makes the next secret. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function rotateApiKey(
  db: Db,
  input: Acting & {
    readonly keyId: string;
    readonly secretHash: string;
    readonly overlapMs: number;
    readonly expiresAt: Date | undefined;
  },
): Promise<KeyRotation> {
  const overlapSeconds = input.overlapMs / 1_000;
  const expiresAt = input.expiresAt?.toISOString() ?? null;
  // With no overlap the secrets before go at once, however many they are.
  const hasRoom = sql`(${overlapSeconds}::float8 = 0 or (select count(*) from jsonb_array_elements(k.secrets) s where ${secretIsLive}) < ${MAX_SECRETS}::integer)`;
  const [row] = await db.execute<Row>(sql`
    with k as (
      update api_keys k
         set generation = k.generation + 1, rotated_at = clock_timestamp(), expires_at = coalesce(${expiresAt}::timestamptz, k.expires_at),
             secrets = coalesce((select jsonb_agg(s || jsonb_build_object('until',
                                   least((s ->> 'until')::timestamptz, clock_timestamp() + make_interval(secs => ${overlapSeconds}::float8))))
                                   from jsonb_array_elements(k.secrets) s where ${secretIsLive}), '[]'::jsonb)
                       || jsonb_build_object('hash', ${input.secretHash}::text, 'generation', k.generation + 1)
       where k.id = ${input.keyId} and ${keyIsLive} and ${hasRoom}
      returning *
    ),
    noted as (
      insert into acts (actor, act, subject_type, subject_id, reason, details, correlation_id)
      select ${input.actor}, 'api-key.rotated', 'api-key', k.id, 'asked for', jsonb_strip_nulls(jsonb_build_object('overlapSeconds', ${String(overlapSeconds)}::text, 'expiresAt', ${expiresAt}::text)),
             ${input.correlationId}
        from k
    )
    select ${COLUMNS} from k`);
  if (row !== undefined) return { outcome: "rotated", key: toRecord(row) };
  const [full] = await db.execute<{ free_in_ms: number | null }>(sql`
    select (extract(epoch from min((s ->> 'until')::timestamptz) - clock_timestamp()) * 1000)::float8 as free_in_ms
      from api_keys k, jsonb_array_elements(k.secrets) s where k.id = ${input.keyId} and ${keyIsLive} and ${secretIsLive} having count(*) >= ${MAX_SECRETS}::integer`);
  return full === undefined ? { outcome: "not live" } : { outcome: "too many", retryAfterMs: Math.max(0, full.free_in_ms ?? 0) };
}

/**
 * Ends a key for good, with every secret and token of it, and notes the act, in one statement. Undefined when there is no such key.
 * Safe to retry: the first moment stays. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function revokeApiKey(
  db: Db,
  { keyId, actor, reason, correlationId }: Acting & { readonly keyId: string; readonly reason: string },
): Promise<ApiKeyRecord | undefined> {
  const [row] = await db.execute<Row>(sql`
    with k as (update api_keys k set revoked_at = coalesce(k.revoked_at, clock_timestamp()) where k.id = ${keyId} returning *),
    noted as (
      insert into acts (actor, act, subject_type, subject_id, reason, details, correlation_id)
      select ${actor}, 'api-key.revoked', 'api-key', k.id, ${reason}, '{}', ${correlationId} from k
    )
    select ${COLUMNS} from k`);
  return row === undefined ? undefined : toRecord(row);
}

/** Notes that a key was used. Writes nothing when that was noted less than a minute ago. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function noteApiKeyUse(db: Db, keyId: string): Promise<void> {
  await db.execute(sql`
    update api_keys set last_used_at = clock_timestamp()
     where id = ${keyId} and coalesce(last_used_at < clock_timestamp() - interval '1 minute', true)`);
}

/** What opens a key now. */
export interface LiveApiKey {
  readonly keyId: string;
  readonly subject: string;
  readonly scopes: readonly Scope[];
  readonly expiresAtMs: number;
  /** `untilMs` is undefined for the secret that was not replaced. */
  readonly secrets: readonly { readonly hash: string; readonly generation: number; readonly untilMs: number | undefined }[];
}

/** The key of that id while it opens anything. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export type ReadApiKey = (keyId: string) => Promise<LiveApiKey | undefined>;

const MAX_BATCH = 500;

/** Looks up the keys of the same moment with one statement, at most `parallel` statements at a time. Each begins after its callers asked. */
export function createApiKeyReader(db: Db, parallel = 2): ReadApiKey {
  return createBatcher({ maxBatch: MAX_BATCH, parallel, run: (keyIds) => readLive(db, keyIds) });
}

async function readLive(db: Db, keyIds: readonly string[]): Promise<(LiveApiKey | undefined)[]> {
  const rows = await db.execute<{ id: string; subject: string; scopes: string; expires_ms: string; secrets: string }>(sql`
    select k.id, k.subject, array_to_json(k.scopes)::text as scopes, floor(extract(epoch from k.expires_at) * 1000)::bigint::text as expires_ms,
           (select coalesce(json_agg(json_build_object('hash', s ->> 'hash', 'generation', (s ->> 'generation')::integer,
                                                       'untilMs', floor(extract(epoch from (s ->> 'until')::timestamptz) * 1000))), '[]')
              from jsonb_array_elements(k.secrets) s where ${secretIsLive})::text as secrets
      from api_keys k where k.id in (select json_array_elements_text(${JSON.stringify([...new Set(keyIds)])}::json)) and ${keyIsLive}`);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return keyIds.map((id) => {
    const row = byId.get(id);
    if (row === undefined) return undefined;
    const secrets = JSON.parse(row.secrets) as { hash: string; generation: number; untilMs: number | null }[];
    return {
      keyId: id,
      subject: row.subject,
      scopes: JSON.parse(row.scopes) as Scope[],
      expiresAtMs: Number(row.expires_ms),
      secrets: secrets.map(({ hash, generation, untilMs }) => ({ hash, generation, untilMs: untilMs ?? undefined })),
    };
  });
}

function toRecord(row: Row): ApiKeyRecord {
  return {
    keyId: row.id,
    name: row.name,
    subject: row.subject,
    scopes: JSON.parse(row.scopes) as Scope[],
    status: row.status,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: new Date(row.expires_at),
    rotatedAt: dateOf(row.rotated_at),
    revokedAt: dateOf(row.revoked_at),
    lastUsedAt: dateOf(row.last_used_at),
    replacedSecretsEndAt: dateOf(row.replaced_until),
  };
}

function dateOf(text: string | null): Date | undefined {
  return text === null ? undefined : new Date(text);
}
