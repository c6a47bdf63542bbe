import { DomainError } from "../../base/errors.ts";
import { lineActKey } from "../../contract/ids.ts";
import type { Db } from "../../store/postgres/database.ts";
import { findLineActs, findLinesOf, type OrderLines } from "../../store/reservations/hold-lines.ts";
import { findHoldByOperation, type HoldRecord } from "../../store/reservations/holds.ts";
import { refuseClosed } from "./find-reservation.ts";

/** So many reservations of one order are read: a request about all of an order with more could not be answered in time. */
const MAX_LINES = 500;

/**
 * All reservations of the order, also those that are closed, oldest first, at most 500.
 * Throws: AMBIGUOUS when there are more; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function allLinesOf(db: Db, order: OrderLines): Promise<HoldRecord[]> {
  const lines = await findLinesOf(db, { ...order, limit: MAX_LINES + 1 });
  if (lines.length > MAX_LINES)
    throw new DomainError("AMBIGUOUS", `the order has more than ${MAX_LINES} reservations; name them by service or by id`);
  return lines;
}

/**
 * The reservations that a request about all of an order is about: those that are held. A request that was begun before is about those it acted
 * on then and those that were held besides, whatever was reserved since.
 * Throws: RESERVATION_NOT_FOUND when the order has none; the code of what became of the newest when none is held; AMBIGUOUS above 500;
 * IDEMPOTENCY_CONFLICT when the key was used for another order, currency or a single reservation; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function pickLinesOnce(db: Db, key: string, order: OrderLines): Promise<HoldRecord[]> {
  const acts = await findLineActs(db, key);
  const all = await allLinesOf(db, order);
  const ownKeys = new Map(all.map(({ holdId }) => [lineActKey(key, order.currency, holdId), holdId]));
  const isOther = acts.some((act) => !ownKeys.has(act.key));
  if (isOther || (await findHoldByOperation(db, key)) !== undefined) throw new DomainError("IDEMPOTENCY_CONFLICT");

  const acted = new Set(acts.map(({ reservationId }) => reservationId));
  // Infinity for a request that did nothing yet.
  const begunMs = Math.min(...acts.map(({ recordedAt }) => recordedAt.getTime()));
  const lines = all.filter(({ holdId, status, createdAt }) => acted.has(holdId) || (status === "held" && createdAt.getTime() <= begunMs));
  const newest = all.at(-1);
  if (newest === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
  if (lines.length === 0) refuseClosed(newest);
  return lines;
}
