import { sql, type SQL } from "drizzle-orm";
import type { Db } from "./database.ts";

export interface DeadLetterFilter {
  readonly topic?: string;
  readonly code?: string;
  /** ISO 8601 in UTC: recorded at the first or later, and before the second. */
  readonly from?: string;
  readonly to?: string;
  /** Whether it was ever sent again. */
  readonly redriven?: boolean;
}

/** A dead letter without its content. */
export interface DeadLetterSummary {
  readonly deadLetterId: string;
  readonly identity: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  /** Of the value. */
  readonly bytes: number;
  readonly recordedAt: Date;
  readonly redrivenAt: Date | undefined;
  readonly redrivenBy: string | undefined;
  /** When what was sent again was last refused. */
  readonly refusedAgainAt: Date | undefined;
}

/** A dead letter with its key and the beginning of its value, as bytes. */
export interface DeadLetterRecord extends DeadLetterSummary {
  readonly key: Buffer | undefined;
  readonly value: Buffer | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly identity: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly bytes: number;
  readonly recorded_at: string;
  readonly redriven_at: string | null;
  readonly redriven_by: string | null;
  readonly refused_again_at: string | null;
}

const SUMMARY = sql`id, identity, topic, partition, "offset", code, reason, attempts, coalesce(octet_length(raw_value), 0) as bytes, recorded_at,
  redriven_at, redriven_by, refused_again_at`;

/** A page of dead letters, the newest first; one more than `limit` when there is a next page. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listDeadLetters(
  db: Db,
  input: DeadLetterFilter & { readonly limit: number; readonly beforeId?: string },
): Promise<DeadLetterSummary[]> {
  const before = input.beforeId === undefined ? sql`true` : sql`id < ${input.beforeId}::bigint`;
  const rows = await db.execute<Row>(sql`
    select ${SUMMARY} from dead_letters where ${matching(input)} and ${before} order by id desc limit ${input.limit + 1}::integer`);
  return [...rows].map(toSummary);
}

/** One dead letter with at most `maxBytes` of its value and key; undefined when there is none. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getDeadLetter(db: Db, deadLetterId: string, maxBytes: number): Promise<DeadLetterRecord | undefined> {
  const [row] = await db.execute<Row & { raw_key: Buffer | null; raw_value: Buffer | null; headers: string }>(sql`
    select ${SUMMARY}, substring(raw_key from 1 for ${maxBytes}::integer) as raw_key, substring(raw_value from 1 for ${maxBytes}::integer) as raw_value, headers
      from dead_letters where id = ${deadLetterId}::bigint`);
  if (row === undefined) return undefined;
  return {
    ...toSummary(row),
    key: row.raw_key ?? undefined,
    value: row.raw_value ?? undefined,
    headers: JSON.parse(row.headers) as Record<string, string>,
  };
}

/** The condition on `dead_letters` that a filter is. */
export function matching({ topic, code, from, to, redriven }: DeadLetterFilter): SQL {
  return sql.join(
    [
      sql`true`,
      ...(topic === undefined ? [] : [sql`topic = ${topic}`]),
      ...(code === undefined ? [] : [sql`code = ${code}`]),
      ...(from === undefined ? [] : [sql`recorded_at >= ${from}::timestamptz`]),
      ...(to === undefined ? [] : [sql`recorded_at < ${to}::timestamptz`]),
      ...(redriven === undefined ? [] : [redriven ? sql`redriven_at is not null` : sql`redriven_at is null`]),
    ],
    sql` and `,
  );
}

function toSummary(row: Row): DeadLetterSummary {
  return {
    deadLetterId: row.id,
    identity: row.identity,
    topic: row.topic,
    partition: row.partition,
    offset: row.offset,
    code: row.code,
    reason: row.reason,
    attempts: row.attempts,
    bytes: row.bytes,
    recordedAt: new Date(row.recorded_at),
    redrivenAt: row.redriven_at === null ? undefined : new Date(row.redriven_at),
    redrivenBy: row.redriven_by ?? undefined,
    refusedAgainAt: row.refused_again_at === null ? undefined : new Date(row.refused_again_at),
  };
}
