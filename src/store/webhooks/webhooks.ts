import { sql } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

/** Where events are sent by HTTP, without its secrets. */
export interface WebhookRecord {
  readonly webhookId: string;
  readonly url: string;
  /** Types such as `saldo.order.completed`, groups such as `saldo.order.*`; none is all. */
  readonly eventTypes: readonly string[];
  readonly description: string;
  /** Postgres' own text, as a Date would lose its microseconds. */
  readonly createdAt: string;
  readonly createdBy: string;
  readonly disabledAt: Date | undefined;
  readonly disabledReason: string | undefined;
}

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly url: string;
  readonly event_types: string;
  readonly description: string;
  readonly created_at: string;
  readonly created_by: string;
  readonly disabled_at: string | null;
  readonly disabled_reason: string | null;
}

/** So many webhooks may be registered at a time: each of them may want a copy of every event. */
export const MAX_WEBHOOKS = 100;

const SIGNS = sql`coalesce((s.value ->> 'expiresAt')::timestamptz > clock_timestamp(), true)`;
const HAS_ROOM = sql`(select count(*) from webhooks where deleted_at is null) < ${MAX_WEBHOOKS}::integer`;
const COLUMNS = sql`id, url, array_to_json(event_types)::text as event_types, description, created_at, created_by, disabled_at, disabled_reason`;

/** Whether another webhook may be registered. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function hasRoomForWebhook(db: Db): Promise<boolean> {
  const [row] = await db.execute<{ has_room: boolean }>(sql`select ${HAS_ROOM} as has_room`);
  return row?.has_room === true;
}

/** The webhook that an earlier request with the same Idempotency-Key registered. */
export interface Registration {
  readonly webhook: WebhookRecord;
  readonly isDeleted: boolean;
  /** The secret it was given; undefined once that secret has ended. */
  readonly sealedSecret: string | undefined;
}

/** The webhook that a request registered. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findRegistration(db: Db, webhookId: string, requestKey: string): Promise<Registration | undefined> {
  const [row] = await db.execute<Row & { is_deleted: boolean; sealed: string | null }>(sql`
    select ${COLUMNS}, deleted_at is not null as is_deleted,
           (select s.value ->> 'sealed' from jsonb_array_elements(secrets) as s(value) where s.value ->> 'requestKey' = ${requestKey} and ${SIGNS} limit 1) as sealed
      from webhooks where id = ${webhookId}`);
  return row === undefined ? undefined : { webhook: toRecord(row), isDeleted: row.is_deleted, sealedSecret: row.sealed ?? undefined };
}

/**
 * Keeps a new webhook; `sealedSecret` is its first. Undefined when there are `MAX_WEBHOOKS`, or when another call adds the same id at this moment.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function createWebhook(
  db: Db,
  input: Pick<WebhookRecord, "webhookId" | "url" | "eventTypes" | "description" | "createdBy"> & {
    readonly sealedSecret: string;
    readonly requestKey?: string;
  },
): Promise<WebhookRecord | undefined> {
  const { requestKey } = input;
  const secrets = JSON.stringify([{ sealed: input.sealedSecret, expiresAt: null, ...(requestKey === undefined ? {} : { requestKey }) }]);
  const [row] = await db.execute<Row>(sql`
    insert into webhooks (id, url, event_types, description, secrets, created_by)
    select ${input.webhookId}, ${input.url}, array(select json_array_elements_text(${JSON.stringify(input.eventTypes)}::json)),
           ${input.description}, ${secrets}::jsonb, ${input.createdBy}
     where ${HAS_ROOM}
    on conflict (id) do nothing
    returning ${COLUMNS}`);
  return row === undefined ? undefined : toRecord(row);
}

/** A webhook that is not deleted. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getWebhook(db: Db, webhookId: string): Promise<WebhookRecord | undefined> {
  const [row] = await db.execute<Row>(sql`select ${COLUMNS} from webhooks where id = ${webhookId} and deleted_at is null`);
  return row === undefined ? undefined : toRecord(row);
}

/** A page of the webhooks, the newest first; one more than `limit` when there is a next page. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listWebhooks(
  db: Db,
  { limit, after }: { readonly limit: number; readonly after?: { readonly createdAt: string; readonly id: string } },
): Promise<WebhookRecord[]> {
  const place = after === undefined ? sql`true` : sql`(created_at, id) < (${after.createdAt}::timestamptz, ${after.id})`;
  const rows = await db.execute<Row>(sql`
    select ${COLUMNS} from webhooks where deleted_at is null and ${place} order by created_at desc, id desc limit ${limit + 1}::integer`);
  return [...rows].map(toRecord);
}

/** A webhook that wants events. */
export interface ActiveWebhook {
  readonly webhookId: string;
  readonly eventTypes: readonly string[];
}

/** All webhooks that events are sent to. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listActiveWebhooks(db: Db): Promise<ActiveWebhook[]> {
  const rows = await db.execute<Row>(sql`select ${COLUMNS} from webhooks where deleted_at is null and disabled_at is null`);
  return [...rows].map(toRecord);
}

/** Deletes a webhook and forgets its secrets; returns whether it was there. Its log stays. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function deleteWebhook(db: Db, webhookId: string): Promise<boolean> {
  const rows = await db.execute(sql`
    update webhooks set deleted_at = clock_timestamp(), secrets = '[]'::jsonb where id = ${webhookId} and deleted_at is null returning id`);
  return rows.length === 1;
}

/** Stops the events to a webhook. Safe to retry: the first reason stays. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function disableWebhook(
  db: Db,
  { webhookId, reason }: { readonly webhookId: string; readonly reason: string },
): Promise<void> {
  await db.execute(sql`
    update webhooks set disabled_at = clock_timestamp(), disabled_reason = ${reason} where id = ${webhookId} and disabled_at is null`);
}

/** Lets events go to a webhook again, and ends a rest of its receiver. Safe to retry. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function enableWebhook(db: Db, webhookId: string): Promise<void> {
  await db.execute(sql`
    update webhooks set disabled_at = null, disabled_reason = null, streak = 0, rest_until = null where id = ${webhookId}`);
}

/** Ends a rest of the webhook's receiver: an operator wants to see what it answers now. Safe to retry. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function endWebhookRest(db: Db, webhookId: string): Promise<void> {
  await db.execute(sql`update webhooks set streak = 0, rest_until = null where id = ${webhookId}`);
}

/** What became of a request for a new secret. */
export type SecretRotation =
  | { readonly outcome: "rotated" }
  /** The same request was made before: this is the secret it was given. */
  | { readonly outcome: "repeated"; readonly sealedSecret: string }
  /** `MAX_SECRETS` secrets sign already; the first of them ends after `retryAfterMs`. */
  | { readonly outcome: "too many"; readonly retryAfterMs: number }
  | { readonly outcome: "not found" };

/** So many secrets of a webhook sign at a time. */
const MAX_SECRETS = 10;

/**
 * Makes a new secret that signs first. The one before it signs too for `overlapMs`, older ones until their own end: a receiver whose
 * operator never got the answer can still verify. Safe to retry under the same `requestKey` while its secret signs. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function rotateWebhookSecret(
  db: Db,
  input: { readonly webhookId: string; readonly sealedSecret: string; readonly overlapMs: number; readonly requestKey?: string },
): Promise<SecretRotation> {
  const requestKey = input.requestKey ?? null;
  // The secrets are read from the row that is updated and locked, so that two rotations at once both count.
  const rotated = await db.execute(sql`
    update webhooks
       set secrets = jsonb_build_array(jsonb_build_object('sealed', ${input.sealedSecret}::text, 'expiresAt', null, 'requestKey', ${requestKey}::text))
             || (select jsonb_agg(case when s.n = 1 then s.value || jsonb_build_object('expiresAt', clock_timestamp() + make_interval(secs => ${input.overlapMs / 1_000}))
                                  else s.value end order by s.n)
                   from jsonb_array_elements(secrets) with ordinality as s(value, n) where ${SIGNS})
     where id = ${input.webhookId} and deleted_at is null
       and (select count(*) from jsonb_array_elements(secrets) as s(value) where ${SIGNS}) < ${MAX_SECRETS}::integer
       and not exists (select 1 from jsonb_array_elements(secrets) as s(value) where s.value ->> 'requestKey' = ${requestKey}::text and ${SIGNS})
    returning id`);
  if (rotated.length === 1) return { outcome: "rotated" };
  const [row] = await db.execute<{ repeated: string | null; free_in_ms: number | null }>(sql`
    select max(s.value ->> 'sealed') filter (where s.value ->> 'requestKey' = ${requestKey}::text) as repeated,
           (extract(epoch from min((s.value ->> 'expiresAt')::timestamptz) - clock_timestamp()) * 1000)::float8 as free_in_ms
      from webhooks w, jsonb_array_elements(w.secrets) as s(value)
     where w.id = ${input.webhookId} and w.deleted_at is null and ${SIGNS}`);
  if (row?.repeated !== undefined && row.repeated !== null) return { outcome: "repeated", sealedSecret: row.repeated };
  if (row?.free_in_ms !== undefined && row.free_in_ms !== null) return { outcome: "too many", retryAfterMs: Math.max(0, row.free_in_ms) };
  return { outcome: "not found" };
}

function toRecord(row: Row): WebhookRecord {
  return {
    webhookId: row.id,
    url: row.url,
    eventTypes: JSON.parse(row.event_types) as string[],
    description: row.description,
    createdAt: row.created_at,
    createdBy: row.created_by,
    disabledAt: row.disabled_at === null ? undefined : new Date(row.disabled_at),
    disabledReason: row.disabled_reason ?? undefined,
  };
}
