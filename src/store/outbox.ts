import { sql } from "drizzle-orm";
import type { Db } from "./database.ts";

/** A message that waits to leave. `payload` for events, the raw bytes for dead letters. */
export interface OutboxRow {
  readonly id: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly topic: string;
  readonly messageKey: string | null;
  readonly payload: Readonly<Record<string, unknown>> | null;
  readonly rawKey: Buffer | null;
  readonly rawValue: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly attempts: number;
}

interface RawRow extends Record<string, unknown> {
  id: string;
  aggregate_type: string;
  aggregate_id: string;
  topic: string;
  message_key: string | null;
  payload: string | null;
  raw_key: Buffer | null;
  raw_value: Buffer | null;
  headers: string;
  attempts: number;
}

/**
 * The oldest messages that are not published, in the order of their ids. It looks for what is unmarked and never for
 * `id >` the last one: a row whose transaction committed late has an id that was passed already.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function readUnpublished(db: Db, input: { readonly limit: number; readonly withoutTopics: readonly string[] }): Promise<OutboxRow[]> {
  const rows = await db.execute<RawRow>(sql`
    select m.id, m.aggregate_type, m.aggregate_id, m.topic, m.message_key, m.raw_key, m.raw_value, m.attempts,
           case when m.operation_id is null then m.payload else jsonb_build_object(
             'operationId', o.id::text, 'operation', o.kind, 'userId', m.aggregate_id, 'amountMinor', o.amount_minor::text, 'currency', o.currency,
             'serviceId', o.service_id, 'orderId', o.order_id, 'reservationId', o.hold_id,
             'peerUserId', case when m.aggregate_id = o.user_id then o.peer_user_id else o.user_id end,
             'comment', o.comment, 'occurredAt', o.effective_at, 'recordedAt', o.recorded_at) end as payload,
           coalesce(m.headers, jsonb_build_object('correlation-id', o.correlation_id)) as headers
      from outbox m
      left join operations o on o.id = m.operation_id
     where m.published_at is null
       and m.topic not in (select json_array_elements_text(${JSON.stringify(input.withoutTopics)}::json))
     order by m.id
     limit ${input.limit}::integer`);
  return [...rows].map((row) => ({
    id: row.id,
    aggregateType: row.aggregate_type,
    aggregateId: row.aggregate_id,
    topic: row.topic,
    messageKey: row.message_key,
    payload: row.payload === null ? null : (JSON.parse(row.payload) as Record<string, unknown>),
    rawKey: row.raw_key,
    rawValue: row.raw_value,
    headers: JSON.parse(row.headers) as Record<string, string>,
    attempts: row.attempts,
  }));
}

/** Marks messages as published. Safe to retry: a mark stays as it was first set. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function markPublished(db: Db, ids: readonly string[]): Promise<void> {
  await db.execute(sql`
    update outbox set published_at = clock_timestamp(), attempts = attempts + 1
     where id = any (array(select value::bigint from json_array_elements_text(${JSON.stringify(ids)}::json))) and published_at is null`);
}

/** Notes that a try to publish these messages failed. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function countFailedAttempt(db: Db, ids: readonly string[]): Promise<void> {
  await db.execute(sql`
    update outbox set attempts = attempts + 1
     where id = any (array(select value::bigint from json_array_elements_text(${JSON.stringify(ids)}::json))) and published_at is null`);
}
