import { sql } from "drizzle-orm";
import { RECEIVER_RESTS } from "../../domain/webhooks/receiver-rests.ts";
import type { Db } from "../postgres/database.ts";

export const DELIVERY_STATUSES = ["pending", "delivered", "failed", "abandoned"] as const;
/** `failed`: given up after the last retry. `abandoned`: the webhook is disabled or deleted, or its receiver is gone for good. */
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** One line of a webhook's log. */
export interface DeliveryRecord {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly responseStatus: number | undefined;
  readonly lastError: string | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly nextAttemptAt: Date | undefined;
}

/** An event for a webhook. `body` is sent verbatim. */
export interface NewDelivery {
  readonly webhookId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly body: string;
}

/** So many rows are written in a fraction of a statement's deadline. */
const MAX_ROWS = 1_000;

/**
 * Keeps deliveries to be made, in their order, and returns the ids of the new ones. Many of them take several statements: when one fails,
 * those before it are kept.
 * Safe to retry: an event goes to a webhook once. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function insertDeliveries(db: Db, deliveries: readonly NewDelivery[]): Promise<string[]> {
  const ids: string[] = [];
  for (let first = 0; first < deliveries.length; first += MAX_ROWS)
    ids.push(...(await insertSome(db, deliveries.slice(first, first + MAX_ROWS))));
  return ids;
}

// An event's body is sent to Postgres once, however many webhooks it is for.
async function insertSome(db: Db, deliveries: readonly NewDelivery[]): Promise<string[]> {
  const events = new Map(deliveries.map(({ eventId, eventType, body }) => [eventId, { eventId, eventType, body }]));
  const wanted = deliveries.map(({ webhookId, eventId }) => ({ webhookId, eventId }));
  const rows = await db.execute<{ id: string }>(sql`
    insert into webhook_deliveries (webhook_id, event_id, event_type, body)
    select g."webhookId", g."eventId", e."eventType", e.body
      from rows from (json_to_recordset(${JSON.stringify(wanted)}::json) as ("webhookId" text, "eventId" text))
           with ordinality as g("webhookId", "eventId", n)
      join json_to_recordset(${JSON.stringify([...events.values()])}::json) as e("eventId" text, "eventType" text, body text)
        on e."eventId" = g."eventId"
     order by g.n
    on conflict do nothing
    returning id`);
  return [...rows].map(({ id }) => id);
}

/** A delivery whose workflow has to be started. */
export interface WaitingDelivery {
  readonly deliveryId: string;
  readonly webhookId: string;
  readonly eventId: string;
}

/**
 * Deliveries that no workflow was started for and that may start now: of each webhook the oldest, as many as it has free slots, the first
 * of every webhook before the second of any. So a receiver that hangs or fails keeps its own deliveries waiting and nobody else's.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function listWaitingDeliveries(db: Db, limit: number): Promise<WaitingDelivery[]> {
  const { slots, failuresInRow, slotLifetimeSeconds } = RECEIVER_RESTS;
  const rows = await db.execute<{ id: string; webhook_id: string; event_id: string }>(sql`
    select d.id, w.id as webhook_id, d.event_id
      from webhooks w
     cross join lateral (
       select count(*)::integer as n from webhook_deliveries u
        where u.webhook_id = w.id and u.status = 'pending' and u.attempts = 0
          and u.dispatched_at > clock_timestamp() - make_interval(secs => ${slotLifetimeSeconds}::integer)) as on_their_way
     cross join lateral (
       select o.id, o.event_id, row_number() over (order by o.id) as n
         from webhook_deliveries o
        where o.webhook_id = w.id and o.dispatched_at is null and o.status = 'pending'
        order by o.id
        limit greatest(0, case when w.streak <= -${failuresInRow}::integer then 1 else ${slots}::integer + greatest(0, w.streak) end - on_their_way.n)) as d
     where w.rest_until is null or w.rest_until <= clock_timestamp() or w.disabled_at is not null or w.deleted_at is not null
     order by d.n, d.id limit ${limit}::integer`);
  return [...rows].map((row) => ({ deliveryId: row.id, webhookId: row.webhook_id, eventId: row.event_id }));
}

/** Notes that the deliveries' workflows were started. Safe to retry. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function markDispatched(db: Db, deliveryIds: readonly string[]): Promise<void> {
  if (deliveryIds.length === 0) return;
  await db.execute(sql`
    update webhook_deliveries set dispatched_at = clock_timestamp()
     where id = any (array(select value::bigint from json_array_elements_text(${JSON.stringify(deliveryIds)}::json)))`);
}

/** A delivery with all that sending it takes. `secrets` are sealed, the newest first, those that have ended left out. */
export interface PendingDelivery extends NewDelivery {
  readonly status: DeliveryStatus;
  readonly url: string;
  readonly secrets: readonly string[];
  /** False once the webhook is disabled or deleted. */
  readonly isWanted: boolean;
  /** For how long nothing is sent to the receiver from now on. */
  readonly restMs: number;
}

/** The delivery, or undefined when there is none. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function readDelivery(db: Db, deliveryId: string): Promise<PendingDelivery | undefined> {
  const [row] = await db.execute<{
    webhook_id: string;
    event_id: string;
    event_type: string;
    body: string;
    status: DeliveryStatus;
    url: string;
    secrets: string;
    is_wanted: boolean;
    rest_ms: number;
  }>(sql`
    select d.webhook_id, d.event_id, d.event_type, d.body, d.status, w.url, w.disabled_at is null and w.deleted_at is null as is_wanted,
           greatest(0, coalesce(extract(epoch from w.rest_until - clock_timestamp()) * 1000, 0))::float8 as rest_ms,
           (select coalesce(json_agg(s.value ->> 'sealed' order by s.n), '[]'::json)
              from jsonb_array_elements(w.secrets) with ordinality as s(value, n)
             where coalesce((s.value ->> 'expiresAt')::timestamptz > clock_timestamp(), true))::text as secrets
      from webhook_deliveries d join webhooks w on w.id = d.webhook_id
     where d.id = ${deliveryId}::bigint`);
  if (row === undefined) return undefined;
  return {
    webhookId: row.webhook_id,
    eventId: row.event_id,
    eventType: row.event_type,
    body: row.body,
    status: row.status,
    url: row.url,
    secrets: JSON.parse(row.secrets) as string[],
    isWanted: row.is_wanted,
    restMs: row.rest_ms,
  };
}

/**
 * Keeps the outcome of an attempt, or why none was made, and what it tells of the receiver: after some failures in a row, or when it asks
 * for it, it rests. An attempt that is taken ends a rest for failures at once. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function recordAttempt(
  db: Db,
  input: {
    readonly deliveryId: string;
    readonly status: DeliveryStatus;
    /** False when nothing was sent. */
    readonly attempted: boolean;
    readonly responseStatus?: number;
    readonly lastError?: string;
    readonly nextDelayMs?: number;
    /** For how long the receiver asked to be left alone. */
    readonly restMs?: number;
  },
): Promise<void> {
  const { failuresInRow, firstRestSeconds, maxRestSeconds, maxMoreSlots } = RECEIVER_RESTS;
  const next = input.nextDelayMs === undefined ? sql`null` : sql`clock_timestamp() + make_interval(secs => ${input.nextDelayMs / 1_000})`;
  const isTaken = input.status === "delivered";
  // Of the row itself and not of a copy read before: attempts that end at the same moment all count.
  const streak = isTaken
    ? sql`least(greatest(w.streak, 0) + 1, ${maxMoreSlots}::integer)`
    : sql`greatest(least(w.streak, 0) - 1, -1000000)`;
  await db.execute(sql`
    with kept as (
    update webhook_deliveries
       set status = ${input.status}, attempts = attempts + ${input.attempted ? 1 : 0}::integer, response_status = ${input.responseStatus ?? null}::integer,
           last_error = ${input.lastError?.slice(0, 500) ?? null}::text, next_attempt_at = ${next}, updated_at = clock_timestamp()
     where id = ${input.deliveryId}::bigint and status = 'pending'
    returning webhook_id
    )
    update webhooks w
       set streak = ${streak},
           rest_until = case
             -- A rest that the receiver asked for stands; one for its failures is over.
             when ${isTaken}::boolean then case when w.streak > -${failuresInRow}::integer then w.rest_until end
             else greatest(w.rest_until, clock_timestamp() + make_interval(secs => ${(input.restMs ?? 0) / 1_000}::float8),
               case when ${streak} <= -${failuresInRow}::integer then clock_timestamp() + make_interval(secs =>
                 least(${maxRestSeconds}::float8, ${firstRestSeconds}::float8 * 2 ^ least(-${streak} - ${failuresInRow}::integer, 20))) end)
           end
      from kept
     where w.id = kept.webhook_id and ${input.attempted}::boolean and (not ${isTaken}::boolean or w.streak < ${maxMoreSlots}::integer)`);
}

/**
 * Makes a delivery wait to be tried at once, whatever became of it before, and ends a rest of its receiver; false when there is no such
 * delivery. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function requestRedelivery(db: Db, input: { readonly webhookId: string; readonly deliveryId: string }): Promise<boolean> {
  const rows = await db.execute(sql`
    with again as (
      update webhook_deliveries set status = 'pending', dispatched_at = null, next_attempt_at = null, updated_at = clock_timestamp()
       where id = ${input.deliveryId}::bigint and webhook_id = ${input.webhookId} returning id, webhook_id
    ), woken as (
      update webhooks w set streak = 0, rest_until = null from again where w.id = again.webhook_id
    )
    select id from again`);
  return rows.length === 1;
}

/** A page of a webhook's log, the newest first; one more than `limit` when there is a next page. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listDeliveries(
  db: Db,
  input: { readonly webhookId: string; readonly status?: DeliveryStatus; readonly limit: number; readonly beforeId?: string },
): Promise<DeliveryRecord[]> {
  const before = input.beforeId === undefined ? sql`true` : sql`id < ${input.beforeId}::bigint`;
  const status = input.status === undefined ? sql`true` : sql`status = ${input.status}`;
  const rows = await db.execute<{
    id: string;
    event_id: string;
    event_type: string;
    status: DeliveryStatus;
    attempts: number;
    response_status: number | null;
    last_error: string | null;
    created_at: string;
    updated_at: string;
    next_attempt_at: string | null;
  }>(sql`
    select id, event_id, event_type, status, attempts, response_status, last_error, created_at, updated_at, next_attempt_at
      from webhook_deliveries where webhook_id = ${input.webhookId} and ${status} and ${before}
     order by id desc limit ${input.limit + 1}::integer`);
  return [...rows].map((row) => ({
    deliveryId: row.id,
    eventId: row.event_id,
    eventType: row.event_type,
    status: row.status,
    attempts: row.attempts,
    responseStatus: row.response_status ?? undefined,
    lastError: row.last_error ?? undefined,
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    nextAttemptAt: row.next_attempt_at === null ? undefined : new Date(row.next_attempt_at),
  }));
}
