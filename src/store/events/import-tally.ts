import { sql, type SQL } from "drizzle-orm";
import { eventKey } from "../../contract/ids.ts";
import type { Db } from "../postgres/database.ts";

/** The id of a row and the place of its message in the topic. */
export interface StandingPlace {
  readonly id: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** What stands under an event's permanent key. Both are there when a bad message and a good one came with the same id. */
export interface EventTrace {
  readonly operation: (StandingPlace & { readonly outcome: "done" | "refused" }) | undefined;
  readonly deadLetter: (StandingPlace & { readonly code: string }) | undefined;
}

/** A run of offsets of one partition: `from` is in it, `to` is not. */
export interface OffsetRange {
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
}

interface RawTrace extends Record<string, unknown> {
  operation_id: string | null;
  outcome: "done" | "refused" | null;
  operation_partition: number | null;
  operation_offset: string | null;
  letter_id: string | null;
  letter_partition: number | null;
  letter_offset: string | null;
  letter_code: string | null;
}

/**
 * What became of events, by their keys and in the order of the keys. `topic` is as `placeTopic` names it: what stands in another topic, made before
 * this one, stands nowhere. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function traceEvents(db: Db, topic: string, events: readonly TracedEvent[]): Promise<EventTrace[]> {
  const keys = events.map(({ key }) => key);
  return tracesOf(
    await db.execute<RawTrace>(sql`
    select o.id as operation_id, o.outcome, case when o.topic = ${topic} then o.partition else -1 end as operation_partition,
           coalesce(o."offset", -1) as operation_offset, ${letterIn(topic)}
      from json_array_elements_text(${JSON.stringify(keys)}::json) with ordinality as e(key, n)
      left join operations o on o.key = e.key
      left join dead_letters l on l.identity = e.key
     order by e.n`),
  );
}

/**
 * As `traceEvents`, for requested orders: `operation` is the order with the event's subject as its id, and its place is read from its
 * correlation id. An order that has not ended counts as absent. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function traceOrders(db: Db, topic: string, events: readonly TracedEvent[]): Promise<EventTrace[]> {
  const wanted = JSON.stringify(events.map(({ key, subject }) => ({ key, subject })));
  return tracesOf(
    await db.execute<RawTrace>(sql`
    select o.id as operation_id, case o.saga_state when 'COMPLETED' then 'done' when 'FAILED' then 'refused' end as outcome,
           case when starts_with(o.correlation_id, ${`${topic}/`}) then coalesce(substring(o.correlation_id from '/([0-9]+)/[0-9]+$')::integer, -1)
                else -1 end as operation_partition,
           coalesce(substring(o.correlation_id from '/([0-9]+)$'), '-1') as operation_offset,
           ${letterIn(topic)}
      from rows from (json_to_recordset(${wanted}::json) as (key text, subject text)) with ordinality as e(key, subject, n)
      left join orders o on o.id = e.subject and o.saga_state in ('COMPLETED', 'FAILED')
      left join dead_letters l on l.identity = e.key
     order by e.n`),
  );
}

function letterIn(topic: string): SQL {
  return sql`l.id as letter_id, case when l.topic = ${topic} then l.partition else -1 end as letter_partition, l."offset" as letter_offset,
           l.code as letter_code`;
}

/** An event's permanent key, and the user or order that is its message key. */
export interface TracedEvent {
  readonly key: string;
  readonly subject: string;
}

function tracesOf(rows: Iterable<RawTrace>): EventTrace[] {
  return [...rows].map((row) => {
    const operation = place(row.operation_id, row.operation_partition, row.operation_offset);
    const deadLetter = place(row.letter_id, row.letter_partition, row.letter_offset);
    return {
      operation: operation && row.outcome ? withOutcome(operation, row.outcome) : undefined,
      deadLetter: deadLetter && { ...deadLetter, code: row.letter_code ?? "" },
    };
  });
}

function withOutcome(standing: StandingPlace, outcome: "done" | "refused"): NonNullable<EventTrace["operation"]> {
  return { ...standing, outcome };
}

/** The original bytes of a dead letter, and why it is one. */
export interface LetterByPlace {
  readonly value: Buffer;
  readonly code: string;
}

/**
 * The dead letters in these ranges that stand under their place and not under an id of their own: the
 * id could not be read, or belongs to an operation with other content. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function readLettersByPlace(
  db: Db,
  input: { readonly topic: string; readonly ranges: readonly OffsetRange[] },
): Promise<LetterByPlace[]> {
  const ranges = JSON.stringify(
    input.ranges.map(({ partition, from, to }) => ({ partition, from_offset: from.toString(), to_offset: to.toString() })),
  );
  const rows = await db.execute<{ identity: string; partition: number; offset: string; raw_value: Buffer | null; code: string }>(sql`
    select l.identity, l.partition, l."offset", l.raw_value, l.code
      from json_to_recordset(${ranges}::json) as r(partition integer, from_offset bigint, to_offset bigint)
      join dead_letters l on l.topic = ${input.topic} and l.partition = r.partition and l."offset" >= r.from_offset and l."offset" < r.to_offset`);
  return [...rows].flatMap(({ identity, partition, offset, raw_value, code }) =>
    raw_value !== null && identity === eventKey({ topic: input.topic, partition, offset }, undefined) ? [{ value: raw_value, code }] : [],
  );
}

function place(id: string | null, partition: number | null, offset: string | null): StandingPlace | undefined {
  if (id === null || partition === null || offset === null) return undefined;
  return { id, partition, offset: BigInt(offset) };
}
