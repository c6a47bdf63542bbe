import { sql } from "drizzle-orm";
import type { Db } from "./database.ts";

/** One event to look up: its permanent key and the place where it was produced. */
export interface ProducedEvent {
  readonly key: string;
  /** The key that its place alone would give; a conflict's dead letter stands under it. */
  readonly positionKey: string;
}

/** Where something stands in the topic. */
export interface StandingPlace {
  readonly id: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** What is known of an event: the operation under its key, and dead letters under its key and under its place. */
export interface EventTrace {
  readonly operation?: StandingPlace & { readonly outcome: "done" | "refused" };
  readonly deadLetter?: StandingPlace;
  readonly conflict?: StandingPlace;
}

interface RawTrace extends Record<string, unknown> {
  operation_id: string | null;
  outcome: "done" | "refused" | null;
  operation_partition: number | null;
  operation_offset: string | null;
  letter_id: string | null;
  letter_partition: number | null;
  letter_offset: string | null;
  conflict_id: string | null;
  conflict_partition: number | null;
  conflict_offset: string | null;
}

/** What became of events, in the order given; one statement. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function traceEvents(db: Db, events: readonly ProducedEvent[]): Promise<EventTrace[]> {
  const rows = await db.execute<RawTrace>(sql`
    select o.id as operation_id, o.outcome, o.partition as operation_partition, o."offset" as operation_offset,
           l.id as letter_id, l.partition as letter_partition, l."offset" as letter_offset,
           c.id as conflict_id, c.partition as conflict_partition, c."offset" as conflict_offset
      from rows from (json_to_recordset(${JSON.stringify(events)}::json) as (key text, "positionKey" text)) with ordinality as e(key, position_key, n)
      left join operations o on o.key = e.key
      left join dead_letters l on l.identity = e.key
      left join dead_letters c on c.identity = e.position_key and e.position_key <> e.key
     order by e.n`);
  return [...rows].map((row) => {
    const operation = place(row.operation_id, row.operation_partition, row.operation_offset);
    const deadLetter = place(row.letter_id, row.letter_partition, row.letter_offset);
    const conflict = place(row.conflict_id, row.conflict_partition, row.conflict_offset);
    return {
      ...(operation === undefined || row.outcome === null ? {} : { operation: { ...operation, outcome: row.outcome } }),
      ...(deadLetter === undefined ? {} : { deadLetter }),
      ...(conflict === undefined ? {} : { conflict }),
    };
  });
}

function place(id: string | null, partition: number | null, offset: string | null): StandingPlace | undefined {
  if (id === null || partition === null || offset === null) return undefined;
  return { id, partition, offset: BigInt(offset) };
}
