import { sql } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

/** What a notification tells of its operation, in the operation's own columns. Times are ISO 8601 in UTC with milliseconds. */
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

/** A row as the driver gives it: numbers of 64 bits and JSON as text, bytes as a buffer, and its operation's columns behind its own. */
type RawRow = readonly [
  id: string,
  aggregateType: string,
  aggregateId: string,
  topic: string,
  messageKey: string | null,
  payload: string | null,
  rawKey: Buffer | null,
  rawValue: Buffer | null,
  headers: string | null,
  attempts: number,
  ...operation: OperationColumns,
];

type OperationColumns = readonly [
  id: string | null,
  kind: string,
  currency: string,
  amountMinor: string,
  userId: string | null,
  peerUserId: string | null,
  serviceId: string | null,
  orderId: string | null,
  holdId: string | null,
  comment: string,
  correlationId: string,
  effectiveAt: string,
  recordedAt: string,
];

/** Dead letters may have a megabyte each; one read brings at most so many bytes of them for a topic, and always at least one row. */
const MAX_RAW_BYTES_PER_TOPIC = 4_000_000;

const inUtc = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

// Columns: to make an object of JSON of each operation costs Postgres as much again as to read the rows.
const READ_UNPUBLISHED = `
  select w.id, w.aggregate_type, w.aggregate_id, w.topic, w.message_key, w.payload, w.raw_key, w.raw_value, w.headers, w.attempts,
         o.id, o.kind, o.currency, o.amount_minor, o.user_id, o.peer_user_id, o.service_id, o.order_id, o.hold_id, o.comment,
         o.correlation_id, ${inUtc("o.effective_at")}, ${inUtc("o.recorded_at")}
    from (select *, sum(coalesce(octet_length(raw_value), 0)) over (partition by topic order by id) - coalesce(octet_length(raw_value), 0) as bytes_before
            from waiting_outbox($1::integer, array(select json_array_elements_text($2::json)),
                   array(select value::bigint from json_array_elements_text($3::json)))) w
    left join operations o on o.id = w.operation_id
   where w.bytes_before < ${MAX_RAW_BYTES_PER_TOPIC}::bigint
   order by w.id`;

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
  const { limitPerTopic, withoutTopics, withoutIds = [] } = input;
  const rows = await db.values(READ_UNPUBLISHED, [limitPerTopic, JSON.stringify(withoutTopics), JSON.stringify(withoutIds)], "auto");
  return (rows as readonly unknown[] as readonly RawRow[]).map(toOutboxRow);
}

function toOutboxRow(row: RawRow): OutboxRow {
  const [id, aggregateType, aggregateId, topic, messageKey, payload, rawKey, rawValue, headers, attempts, ...operation] = row;
  return {
    id,
    aggregateType,
    aggregateId,
    topic,
    messageKey,
    operation: operationOf(operation),
    payload: payload === null ? null : (JSON.parse(payload) as Record<string, unknown>),
    rawKey,
    rawValue,
    headers: headers === null ? {} : (JSON.parse(headers) as Record<string, string>),
    attempts,
  };
}

function operationOf(columns: OperationColumns): NotifiedOperation | null {
  const [id, kind, currency, amountMinor, userId, peerUserId, serviceId, orderId, holdId, comment, correlationId, ...moments] = columns;
  if (id === null) return null;
  const [effectiveAt, recordedAt] = moments;
  return {
    id,
    kind,
    currency,
    amount_minor: amountMinor,
    user_id: userId,
    peer_user_id: peerUserId,
    service_id: serviceId,
    order_id: orderId,
    hold_id: holdId,
    comment,
    correlation_id: correlationId,
    effective_at: effectiveAt,
    recorded_at: recordedAt,
  };
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
