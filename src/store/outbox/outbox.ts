import { sql } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

/** What a notification tells of its operation, in the operation's own columns. */
export interface NotifiedOperation {
  readonly id: string;
  readonly kind: string;
  readonly currency: string;
  readonly amount_minor: string;
  readonly user_id: string | null;
  readonly peer_user_id: string | null;
  readonly service_id: string | null;
  readonly order_id: string | null;
  readonly hold_id: string | null;
  readonly comment: string;
  readonly correlation_id: string;
  readonly effective_at: string;
  readonly recorded_at: string;
}

/** A message that waits to leave: of an operation, of a change with its own payload, or the raw bytes of a dead letter. */
export interface OutboxRow {
  readonly id: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly topic: string;
  readonly messageKey: string | null;
  readonly operation: NotifiedOperation | null;
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
  operation: string | null;
  payload: string | null;
  raw_key: Buffer | null;
  raw_value: Buffer | null;
  headers: string | null;
  attempts: number;
}

/** Dead letters may have a megabyte each; one read brings at most so many bytes of them for a topic, and always at least one row. */
const MAX_RAW_BYTES_PER_TOPIC = 4_000_000;

/**
 * The oldest messages of each topic that are not published, in the order of their ids: however many wait for one topic, those of the others are
 * read beside them. It looks for what is unmarked and never for `id >` the last one: a row whose transaction committed late has an id that was
 * passed already. Messages that are left out by topic or id count neither towards the limit nor towards the bytes.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function readUnpublished(
  db: Db,
  input: { readonly limitPerTopic: number; readonly withoutTopics: readonly string[]; readonly withoutIds?: readonly string[] },
): Promise<OutboxRow[]> {
  const rows = await db.execute<RawRow>(sql`
    select w.id, w.aggregate_type, w.aggregate_id, w.topic, w.message_key, w.payload, w.raw_key, w.raw_value, w.headers, w.attempts,
           case when o.id is not null then json_build_object('id', o.id::text, 'kind', o.kind, 'currency', o.currency, 'amount_minor', o.amount_minor::text,
             'user_id', o.user_id, 'peer_user_id', o.peer_user_id, 'service_id', o.service_id, 'order_id', o.order_id, 'hold_id', o.hold_id,
             'comment', o.comment, 'correlation_id', o.correlation_id, 'effective_at', o.effective_at, 'recorded_at', o.recorded_at) end as operation
      from (select *, sum(coalesce(octet_length(raw_value), 0)) over (partition by topic order by id) - coalesce(octet_length(raw_value), 0) as bytes_before
              from waiting_outbox(${input.limitPerTopic}::integer,
                     array(select json_array_elements_text(${JSON.stringify(input.withoutTopics)}::json)),
                     array(select value::bigint from json_array_elements_text(${JSON.stringify(input.withoutIds ?? [])}::json)))) w
      left join operations o on o.id = w.operation_id
     where w.bytes_before < ${MAX_RAW_BYTES_PER_TOPIC}::bigint
     order by w.id`);
  return [...rows].map((row) => ({
    id: row.id,
    aggregateType: row.aggregate_type,
    aggregateId: row.aggregate_id,
    topic: row.topic,
    messageKey: row.message_key,
    operation: row.operation === null ? null : (JSON.parse(row.operation) as NotifiedOperation),
    payload: row.payload === null ? null : (JSON.parse(row.payload) as Record<string, unknown>),
    rawKey: row.raw_key,
    rawValue: row.raw_value,
    headers: row.headers === null ? {} : (JSON.parse(row.headers) as Record<string, string>),
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
