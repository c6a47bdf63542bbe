import { and, asc, eq, gt, sql } from "drizzle-orm";
import { orderTransitions } from "../../../drizzle/schema/orders.ts";
import { orderRefundWorkflowId, orderWorkflowId } from "../../contract/ids.ts";
import type { OrderStatus, SagaState } from "../../contract/orders.ts";
import type { DisputeMove } from "../../contract/provider-events.ts";
import type { Db } from "../postgres/database.ts";

/** A state an order has been in. */
export interface OrderTransition {
  readonly version: bigint;
  readonly sagaState: SagaState;
  readonly status: OrderStatus;
  readonly at: Date;
  readonly failureCode: string | null;
  readonly failureMessage: string | null;
}

/** The order's states after a version, oldest first. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function readTransitions(db: Db, orderId: string, afterVersion: bigint): Promise<OrderTransition[]> {
  const rows = await db
    .select()
    .from(orderTransitions)
    .where(and(eq(orderTransitions.orderId, orderId), gt(orderTransitions.version, afterVersion)))
    .orderBy(asc(orderTransitions.version));
  return rows.map(toTransition);
}

function toTransition(row: typeof orderTransitions.$inferSelect): OrderTransition {
  return { ...row, sagaState: row.sagaState as SagaState, status: row.status as OrderStatus };
}

/** One entry of an order's story. Amounts are minor units, as text. */
export type OrderFact = { readonly at: Date; readonly correlationId?: string } & (
  | { readonly kind: "state"; readonly sagaState: SagaState; readonly failureMessage?: string }
  | {
      readonly kind: "ledger";
      readonly operation: string;
      readonly refusalCode?: string;
      readonly amountMinor: string;
      readonly currency: string;
      readonly operationId: string;
      readonly serviceNames: readonly string[];
      /** The Kafka message that it came from, topic/partition/offset. */
      readonly place?: string;
    }
  /** A Kafka message that asked for the order; `isFirst` is false for a repeat. */
  | { readonly kind: "request"; readonly place: string; readonly isFirst: boolean }
  | { readonly kind: "refund"; readonly status: string; readonly amountMinor: string; readonly currency: string; readonly reason: string }
  | {
      readonly kind: "dispute";
      readonly move: DisputeMove;
      readonly status: string;
      readonly amountMinor: string;
      readonly currency: string;
      readonly reason: string;
    }
  | { readonly kind: "act"; readonly act: string; readonly actor: string; readonly reason: string }
  | {
      readonly kind: "message";
      readonly topic: string;
      readonly sagaState: string;
      readonly published: boolean;
      readonly stuck?: string | null;
      /** There when it tells of a dispute. */
      readonly dispute?: DisputeMove;
    }
);

type Row = Record<"at" | "kind", string> & Record<"correlation_id" | "a" | "b" | "c" | "d" | "e", string | null> & Record<string, unknown>;

/**
 * An order's whole story, oldest entry first, from one snapshot: also what other workflows and messages did for the order with its user's
 * money, and the messages that asked for it. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function readOrderFacts(db: Db, orderId: string): Promise<OrderFact[]> {
  const refunds = orderRefundWorkflowId(orderId, "");
  const rows = await db.execute<Row>(sql`
    select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, kind, correlation_id, a, b, c, d, e from (
      select t.at, 1 as rank, 'state' as kind, o.correlation_id, t.saga_state as a, t.failure_message as b, null as c, null as d, null as e
        from order_transitions t join orders o on o.id = t.order_id where t.order_id = ${orderId}
      union all
      select p.recorded_at, 0, 'ledger', p.correlation_id, p.kind, p.refusal_code,
             concat_ws(' ', p.amount_minor::text, p.currency, p.topic || '/' || p.partition || '/' || p."offset"), p.id::text,
             (select json_agg(distinct i.service_name)::text from postings i where i.operation_id = p.id and i.service_name is not null)
        from operations p
       where p.order_id = ${orderId}
         and (p.workflow_id = ${orderWorkflowId(orderId)} or starts_with(p.workflow_id, ${refunds})
              or exists (select from orders o where o.id = ${orderId} and o.user_id = p.user_id))
      union all
      select r.recorded_at, -1, 'request', null, r.topic || '/' || r.partition || '/' || r."offset", (r.outcome = 'started')::text, null, null, null
        from event_receipts r where r.workflow_id = ${orderWorkflowId(orderId)} and r.outcome in ('started', 'duplicate')
      union all
      select r.created_at, 2, 'refund', r.correlation_id, 'asked', null, r.amount_minor::text || ' ' || r.currency, r.reason, null
        from refunds r where r.order_id = ${orderId}
      union all
      select r.updated_at, 2, 'refund', r.correlation_id, r.status, r.failure_code, r.amount_minor::text || ' ' || r.currency, r.reason, null
        from refunds r where r.order_id = ${orderId} and r.status <> 'pending'
      union all
      select d.happened_at, 2, 'dispute', null, d.move, d.status, d.amount_minor::text || ' ' || d.currency, d.reason, null
        from dispute_moves d where d.order_id = ${orderId}
      union all
      select x.recorded_at, 2, 'act', x.correlation_id, x.act, x.actor, x.reason, null, null
        from acts x where x.subject_type = 'order' and x.subject_id = ${orderId}
      union all
      select coalesce(m.published_at, m.created_at), 3, 'message', m.headers ->> 'correlation-id', m.topic, m.payload ->> 'sagaState',
             (m.published_at is not null)::text,
             case when m.payload ? 'dispute' then 'dispute' when m.payload ? 'stuck' then 'stuck' end,
             coalesce(m.payload -> 'dispute' ->> 'move', m.payload ->> 'stuck')
        from outbox m where m.aggregate_type = 'order' and m.aggregate_id = ${orderId}
    ) facts order by facts.at, rank`);
  return rows.map(toFact);
}

function toFact(row: Row): OrderFact {
  const { a, b, c, d, e } = row;
  const common = { at: new Date(row.at), ...(row.correlation_id === null ? {} : { correlationId: row.correlation_id }) };
  const [amountMinor = "0", currency = "", ...place] = (c ?? "").split(" ");
  switch (row.kind) {
    case "state":
      return { ...common, kind: "state", sagaState: a as SagaState, ...(b === null ? {} : { failureMessage: b }) };
    case "ledger": {
      const serviceNames = e === null ? [] : (JSON.parse(e) as string[]);
      return {
        ...common,
        kind: "ledger",
        operation: a ?? "",
        ...(b === null ? {} : { refusalCode: b }),
        amountMinor,
        currency,
        operationId: d ?? "",
        serviceNames,
        ...(place.length === 0 ? {} : { place: place.join(" ") }),
      };
    }
    case "request":
      return { ...common, kind: "request", place: a ?? "", isFirst: b === "true" };
    case "refund":
      return { ...common, kind: "refund", status: a ?? "", amountMinor, currency, reason: d ?? "" };
    case "dispute":
      return { ...common, kind: "dispute", move: a as DisputeMove, status: b ?? "", amountMinor, currency, reason: d ?? "" };
    case "act":
      return { ...common, kind: "act", act: a ?? "", actor: b ?? "", reason: c ?? "" };
    default:
      return {
        ...common,
        kind: "message",
        topic: a ?? "",
        sagaState: b ?? "",
        published: c === "true",
        ...(d === "stuck" ? { stuck: e } : {}),
        ...(d === "dispute" ? { dispute: e as DisputeMove } : {}),
      };
  }
}
