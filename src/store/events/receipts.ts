import { sql } from "drizzle-orm";
import type { MessagePosition } from "../../contract/ids.ts";
import type { EventReceipt } from "../../domain/events/receipts.ts";
import type { Db } from "../postgres/database.ts";

/**
 * Keeps receipts. A place that the receipt's operation names itself gets none.
 * Safe to retry: the first receipt of a place stays.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function recordReceipts(db: Db, receipts: readonly EventReceipt[]): Promise<void> {
  if (receipts.length === 0) return;
  const given = JSON.stringify(receipts.map(({ position, ...receipt }) => ({ ...position, ...receipt })));
  await db.execute(sql`
    insert into event_receipts (topic, partition, "offset", identity, outcome, operation_id, workflow_id, code)
    select g.topic, g.partition, g."offset", g.identity, g.outcome, g."operationId", g."workflowId", g.code
      from json_to_recordset(${given}::json) as g(topic text, partition integer, "offset" bigint, identity text, outcome text,
           "operationId" bigint, "workflowId" text, code text)
     where not exists (select 1 from operations o where o.id = g."operationId" and o.topic = g.topic and o.partition = g.partition and o."offset" = g."offset")
    on conflict do nothing`);
}

/** What is known of a message by its place. */
export interface FoundReceipt {
  readonly outcome: "applied" | "refused" | "duplicate" | "started" | "dead-lettered";
  /** The permanent key of its effect. */
  readonly identity: string;
  /** The operation it became, or for a duplicate the one of the first message. */
  readonly operationId: string | undefined;
  readonly workflowId: string | undefined;
  readonly code: string | undefined;
  /** Why it is a dead letter, in words without its content. */
  readonly reason: string | undefined;
  readonly deadLetterId: string | undefined;
  /** Of a duplicate: where the first message with its effect stands, when that came by Kafka. */
  readonly first: MessagePosition | undefined;
  readonly recordedAt: Date;
}

interface Row extends Record<string, unknown> {
  readonly outcome: FoundReceipt["outcome"];
  readonly identity: string;
  readonly operation_id: string | null;
  readonly workflow_id: string | null;
  readonly code: string | null;
  readonly reason: string | null;
  readonly dead_letter_id: string | null;
  readonly first_topic: string | null;
  readonly first_partition: number | null;
  readonly first_offset: string | null;
  readonly recorded_at: string;
}

/**
 * What became of the message at a place: its operation, else its receipt, else its dead letter. Undefined when Saldo has taken no message there.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function findReceipt(db: Db, { topic, partition, offset }: MessagePosition): Promise<FoundReceipt | undefined> {
  const place = sql`topic = ${topic} and partition = ${partition}::integer and "offset" = ${offset}::bigint`;
  const [row] = await db.execute<Row>(sql`
    with letter as (select id, identity, code, reason, recorded_at from dead_letters where ${place} order by id limit 1)
    select * from (
      (select 1 as rank, case o.outcome when 'done' then 'applied' else 'refused' end as outcome, o.key as identity, o.id as operation_id,
              o.workflow_id, o.refusal_code as code, null as reason, (select id from letter) as dead_letter_id,
              null as first_topic, null::integer as first_partition, null::bigint as first_offset, o.recorded_at
         from operations o where ${place} order by o.outcome = 'done' desc, o.id limit 1)
      union all
      select 2, r.outcome, r.identity, o.id, coalesce(r.workflow_id, o.workflow_id), coalesce(r.code, o.refusal_code),
             case when r.code = d.code then d.reason end, coalesce(r.dead_letter_id, (select id from letter)), coalesce(o.topic, f.topic), coalesce(o.partition, f.partition),
             coalesce(o."offset", f."offset"), r.recorded_at
        from (select * from event_receipts where ${place}) r
        left join operations o on o.id = coalesce(r.operation_id, (select x.id from operations x where x.key = r.workflow_id))
        left join dead_letters d on d.id = r.dead_letter_id
        left join lateral (
          select x.topic, x.partition, x."offset" from event_receipts x
           where r.outcome = 'duplicate' and o.topic is null and x.workflow_id = r.workflow_id and x.topic = r.topic and x.outcome = 'started'
           order by x.recorded_at limit 1) f on true
      union all
      select 3, 'dead-lettered', l.identity, null, null, l.code, l.reason, l.id, null, null, null, l.recorded_at from letter l
    ) found order by rank limit 1`);
  return row === undefined ? undefined : toReceipt(row);
}

function toReceipt(row: Row): FoundReceipt {
  const { first_topic: topic, first_partition: partition, first_offset: offset } = row;
  return {
    outcome: row.outcome,
    identity: row.identity,
    operationId: row.operation_id ?? undefined,
    workflowId: row.workflow_id ?? undefined,
    code: row.code ?? undefined,
    reason: row.reason ?? undefined,
    deadLetterId: row.dead_letter_id ?? undefined,
    first: topic === null || partition === null || offset === null ? undefined : { topic, partition, offset },
    recordedAt: new Date(row.recorded_at),
  };
}
