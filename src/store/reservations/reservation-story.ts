import { sql } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";
import type { HoldMoveKind } from "./hold-moves.ts";
import type { HoldRecord } from "./holds.ts";

/** One entry of a reservation's story. Amounts are minor units, as text. */
export type ReservationFact = { readonly at: Date; readonly correlationId?: string } & (
  | {
      readonly kind: "ledger";
      readonly operation: "hold" | "capture" | "release" | "expiry";
      readonly refusalCode?: string;
      readonly amountMinor: string;
      readonly operationId: string;
      readonly caller: string;
      /** True for a capture after the reservation's end, of the available balance. */
      readonly isRescue: boolean;
    }
  | { readonly kind: "move"; readonly move: HoldMoveKind; readonly previousEnd: Date; readonly newEnd: Date; readonly caller: string }
  | { readonly kind: "message"; readonly topic: string; readonly published: boolean }
);

type Row = Record<"at" | "kind" | "a", string> &
  Record<"correlation_id" | "b" | "c" | "d" | "e" | "caller", string | null> &
  Record<string, unknown>;

const MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';

/**
 * A reservation's whole story, oldest entry first, from one snapshot: what happened to its money, who moved its end, and what was told of it.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function readReservationFacts(
  db: Db,
  { holdId, orderId }: Pick<HoldRecord, "holdId" | "orderId">,
): Promise<ReservationFact[]> {
  const moment = (column: ReturnType<typeof sql>) => sql`to_char(${column} at time zone 'UTC', ${MOMENT})`;
  const rows = await db.execute<Row>(sql`
    select ${moment(sql`at`)} as at, kind, correlation_id, caller, a, b, c, d, e from (
      select p.recorded_at as at, 1 as rank, 'ledger' as kind, p.correlation_id, p.caller, p.kind as a, p.refusal_code as b,
             p.amount_minor::text as c, p.id::text as d,
             (p.kind = 'capture' and not exists (select from postings i where i.operation_id = p.id and i.hold_id is not null) and p.refusal_code is null)::text as e
        from operations p where p.order_id = ${orderId} and p.hold_id = ${holdId}
      union all
      select m.recorded_at, 0, 'move', m.correlation_id, m.caller, m.kind, ${moment(sql`m.previous_end`)}, ${moment(sql`m.new_end`)}, null, null
        from hold_moves m where m.hold_id = ${holdId}
      union all
      select coalesce(x.published_at, x.created_at), 2, 'message', x.headers ->> 'correlation-id', null, x.topic, (x.published_at is not null)::text, null, null, null
        from outbox x where x.aggregate_type = 'reservation' and x.aggregate_id = ${holdId}
    ) facts order by facts.at, rank`);
  return rows.map(toFact);
}

function toFact({ at, kind, correlation_id: correlationId, caller, a, b, c, d, e }: Row): ReservationFact {
  const common = { at: new Date(at), ...(correlationId === null ? {} : { correlationId }) };
  switch (kind) {
    case "ledger":
      return {
        ...common,
        kind: "ledger",
        operation: a as "hold" | "capture" | "release" | "expiry",
        ...(b === null ? {} : { refusalCode: b }),
        amountMinor: c ?? "0",
        operationId: d ?? "",
        caller: caller ?? "",
        isRescue: e === "true",
      };
    case "move":
      return {
        ...common,
        kind: "move",
        move: a as HoldMoveKind,
        previousEnd: new Date(b ?? at),
        newEnd: new Date(c ?? at),
        caller: caller ?? "",
      };
    default:
      return { ...common, kind: "message", topic: a, published: b === "true" };
  }
}
