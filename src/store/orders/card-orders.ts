import { sql } from "drizzle-orm";
import type { CardOrder } from "../../domain/orders/provider-agreement.ts";
import type { Db } from "../postgres/database.ts";

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly currency: string;
  readonly total: string;
  readonly saga_state: string;
  readonly by_hand: boolean;
  readonly charged: string;
  readonly refunded: string;
  readonly pending: string;
}

/** Every order by card with its booked charges and refunds, from one snapshot. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function readCardOrders(db: Db): Promise<CardOrder[]> {
  // Operations of events may name any order; only those of the order's own workflows count.
  const rows = await db.execute<Row>(sql`
    select o.id, o.currency, o.total_minor as total, o.saga_state, o.settled_by_hand is not null as by_hand, b.charged, b.refunded,
           (select coalesce(sum(r.amount_minor), 0) from refunds r where r.order_id = o.id and r.status = 'pending') as pending
      from orders o
     cross join lateral (
       select coalesce(sum(x.amount_minor) filter (where x.kind = 'charge' and x.workflow_id = o.workflow_id), 0) as charged,
              coalesce(sum(x.amount_minor) filter (where x.kind = 'refund' and starts_with(x.workflow_id, 'refund/' || o.id || '/')), 0)
                - coalesce(sum(x.amount_minor) filter (where x.kind = 'refund_reversal'), 0) as refunded
         from operations x where x.order_id = o.id and x.outcome = 'done'
     ) b
     where o.payment_method = 'card'`);
  return rows.map((row) => ({
    orderId: row.id,
    currency: row.currency,
    totalMinor: BigInt(row.total),
    end: row.saga_state === "COMPLETED" ? "completed" : row.saga_state === "FAILED" ? "failed" : "none yet",
    chargedMinor: BigInt(row.charged),
    refundedMinor: BigInt(row.refunded),
    pendingRefundMinor: BigInt(row.pending),
    settledByHand: row.by_hand,
  }));
}
