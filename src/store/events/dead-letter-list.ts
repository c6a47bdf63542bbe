import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

export interface DeadLetterFilter {
  /** Of all topics that stood under the name, or of one, as `placeTopic` calls it. */
  readonly topic?: string;
  readonly code?: string;
  /** ISO 8601 in UTC: recorded at `from` or later, and before `to`. */
  readonly from?: string;
  readonly to?: string;
  /** Whether the dead letter was ever sent again. */
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
  /** The length of the value. */
  readonly bytes: number;
  readonly recordedAt: Date;
  readonly redrivenAt: Date | undefined;
  readonly redrivenBy: string | undefined;
  /** When a redrive of it was last refused; undefined once another correction took effect. */
  readonly refusedAgainAt: Date | undefined;
}

/** A dead letter with its key and the beginning of its value, as bytes. */
export interface DeadLetterRecord extends DeadLetterSummary {
  readonly key: Buffer | undefined;
  readonly value: Buffer | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** A summary as the driver gives it: times are text, and an absent value is null. */
type Row = Omit<DeadLetterSummary, "recordedAt" | "redrivenAt" | "redrivenBy" | "refusedAgainAt"> & {
  readonly recordedAt: string;
  readonly redrivenAt: string | null;
  readonly redrivenBy: string | null;
  readonly refusedAgainAt: string | null;
};

/** True when a correction of the dead letter `d` took effect: an operation or a receipt stands at the dead letter's place then. The duplicate of another event is no effect. */
export const TOOK_EFFECT = sql`(
  exists (select 1 from operations o where (o.topic, o.partition, o."offset") = (d.topic, d.partition, d."offset"))
  or exists (select 1 from event_receipts r where (r.topic, r.partition, r."offset") = (d.topic, d.partition, d."offset") and r.outcome not in ('dead-lettered', 'duplicate')))`;

const SUMMARY = sql`id as "deadLetterId", identity, topic, partition, "offset", code, reason, attempts, coalesce(octet_length(raw_value), 0) as bytes,
  recorded_at as "recordedAt", redriven_at as "redrivenAt", redriven_by as "redrivenBy",
  case when refused_again_at is not null and not ${TOOK_EFFECT} then refused_again_at end as "refusedAgainAt"`;

/** A page of dead letters, the newest first; one more than `limit` when there is a next page. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listDeadLetters(
  db: Db,
  input: DeadLetterFilter & { readonly limit: number; readonly beforeId?: string },
): Promise<DeadLetterSummary[]> {
  const before = input.beforeId === undefined ? sql`true` : sql`id < ${input.beforeId}::bigint`;
  const rows = await db.execute<Row>(sql`
    select ${SUMMARY} from dead_letters d where ${matching(input)} and ${before} order by id desc limit ${input.limit + 1}::integer`);
  return [...rows].map(toSummary);
}

/** One dead letter with at most `maxBytes` of its value and key; undefined when there is none. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function getDeadLetter(db: Db, deadLetterId: string, maxBytes: number): Promise<DeadLetterRecord | undefined> {
  const [row] = await db.execute<Row & { raw_key: Buffer | null; raw_value: Buffer | null; headers: string }>(sql`
    select ${SUMMARY}, substring(raw_key from 1 for ${maxBytes}::integer) as raw_key, substring(raw_value from 1 for ${maxBytes}::integer) as raw_value, headers
      from dead_letters d where id = ${deadLetterId}::bigint`);
  if (row === undefined) return undefined;
  const { raw_key: key, raw_value: value, headers, ...summary } = row;
  return {
    ...toSummary(summary),
    key: key ?? undefined,
    value: value ?? undefined,
    headers: JSON.parse(headers) as Record<string, string>,
  };
}

/** A filter as a condition on `dead_letters`. */
export function matching({ topic, code, from, to, redriven }: DeadLetterFilter): SQL {
  return sql.join(
    [
      sql`true`,
      ...(topic === undefined ? [] : [sql`(topic = ${topic} or starts_with(topic, ${topic} || '~'))`]),
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
    ...row,
    recordedAt: new Date(row.recordedAt),
    redrivenAt: row.redrivenAt === null ? undefined : new Date(row.redrivenAt),
    redrivenBy: row.redrivenBy ?? undefined,
    refusedAgainAt: row.refusedAgainAt === null ? undefined : new Date(row.refusedAgainAt),
  };
}
