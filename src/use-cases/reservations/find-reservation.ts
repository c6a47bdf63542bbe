import { DomainError } from "../../base/errors.ts";
import { closedReservationCode } from "../../domain/reservations/reservation-states.ts";
import type { Db } from "../../store/postgres/database.ts";
import { findLineActs } from "../../store/reservations/hold-lines.ts";
import { findHoldsOf, type HoldTriple } from "../../store/reservations/hold-matches.ts";
import { findHoldByOperation, getHold, type HoldRecord } from "../../store/reservations/holds.ts";

/** How many ids the refusal of an ambiguous request names. */
const MAX_NAMED = 20;

/** The hold of a reservation; the line of an order is none. Throws: RESERVATION_NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findReservation(db: Db, reservationId: string): Promise<HoldRecord> {
  const hold = await getHold(db, reservationId);
  if (hold === undefined || hold.purpose !== "reservation") throw new DomainError("RESERVATION_NOT_FOUND");
  return hold;
}

/**
 * The only open reservation of the triple, or the newest when none is open; with `currency` only those in it count.
 * Throws: AMBIGUOUS with the ids, RESERVATION_NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function pickReservation(db: Db, triple: HoldTriple, currency: string | undefined): Promise<HoldRecord> {
  const matches = (await findHoldsOf(db, { ...triple, purpose: "reservation" })).filter(
    (hold) => currency === undefined || hold.currency === currency,
  );
  const open = matches.filter(({ status }) => status === "held");
  if (open.length > 1) {
    const reservationIds = open.slice(0, MAX_NAMED).map(({ holdId }) => holdId);
    throw new DomainError("AMBIGUOUS", undefined, { reservationIds: reservationIds.join(" ") });
  }
  const hold = open[0] ?? matches[0];
  if (hold === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
  return hold;
}

/**
 * As `pickReservation`, for a request with a key: a request that was decided before is about the reservation it was about then, whatever
 * was reserved since. Throws: as `pickReservation`, and IDEMPOTENCY_CONFLICT when the key was used for another triple or currency, or for all of an
 * order.
 */
export async function pickReservationOnce(db: Db, key: string, triple: HoldTriple, currency: string | undefined): Promise<HoldRecord> {
  const known = await findHoldByOperation(db, key);
  if (known === undefined) {
    if ((await findLineActs(db, key)).length > 0) throw new DomainError("IDEMPOTENCY_CONFLICT");
    return pickReservation(db, triple, currency);
  }
  const isSame = known.userId === triple.userId && known.serviceId === triple.serviceId && known.orderId === triple.orderId;
  if (!isSame || (currency ?? known.currency) !== known.currency) throw new DomainError("IDEMPOTENCY_CONFLICT");
  return known;
}

/** Throws: ALREADY_CONFIRMED, ALREADY_RELEASED or RESERVATION_EXPIRED when the reservation is not held any more. */
export function refuseClosed({ status }: Pick<HoldRecord, "status">): void {
  const code = closedReservationCode(status);
  if (code !== undefined) throw new DomainError(code);
}
