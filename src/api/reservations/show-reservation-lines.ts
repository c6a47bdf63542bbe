import type { z } from "@hono/zod-openapi";
import { ERROR_CATALOGUE, type ErrorCode } from "../../base/errors.ts";
import { lineTotals, moneyOfHold } from "../../domain/reservations/line-totals.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import type { reservationLinesSchema } from "./reservation-lines-schemas.ts";
import { rescuesOf, showReservation, showReservationMoney } from "./show-reservation.ts";

export type ShownLines = z.infer<typeof reservationLinesSchema>;

/** What a line failed with; "done" when it did not. */
export type LineOutcome = "done" | ErrorCode;

/**
 * The reservations of an order as they stand, by line and in sum, and what became of those that the request was about, by their ids.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function showReservationLines(
  db: Db,
  { userId, orderId }: { readonly userId: string; readonly orderId: string },
  holds: readonly HoldRecord[],
  outcomes: ReadonlyMap<string, LineOutcome> = new Map(),
): Promise<ShownLines> {
  const rescuedOf = await rescuesOf(db, holds);
  const nowMs = Date.now();
  return {
    userId,
    orderId,
    totals: lineTotals(holds.map((hold) => moneyOfHold(hold, rescuedOf(hold)))).map(showReservationMoney),
    lines: holds.map((hold) => ({
      ...showReservation(hold, { nowMs, rescuedMinor: rescuedOf(hold) }),
      ...showOutcome(outcomes.get(hold.holdId)),
    })),
    links: { self: `/api/v1/reservations?${new URLSearchParams({ userId, orderId }).toString()}` },
  };
}

function showOutcome(outcome: LineOutcome | undefined) {
  if (outcome === undefined) return {};
  if (outcome === "done") return { outcome };
  return {
    outcome: ERROR_CATALOGUE[outcome].remedy === "change the request" ? ("refused" as const) : ("undecided" as const),
    code: outcome,
  };
}
