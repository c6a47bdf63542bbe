import { randomUUID } from "node:crypto";
import { DomainError } from "../../base/errors.ts";
import type { Starters } from "../../starters/index.ts";
import type { Db } from "../../store/postgres/database.ts";
import { findReservation, refuseClosed } from "./find-reservation.ts";

/**
 * Moves the clock of a reservation's workflow on, for a test. A reservation that is just closing answers as a closed one. Not safe to
 * retry: each call moves it.
 * Throws: RESERVATION_NOT_FOUND, ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, UNAVAILABLE when no workflow keeps the open
 * hold, DEADLINE_EXCEEDED.
 */
export async function advanceReservation(
  { db, starters }: { readonly db: Db; readonly starters: Pick<Starters, "advanceReservationClock"> },
  asked: { readonly reservationId: string; readonly advanceMs: number; readonly caller: string; readonly correlationId: string },
): Promise<void> {
  const { reservationId, ...rest } = asked;
  refuseClosed(await findReservation(db, reservationId));
  let failure: unknown = new DomainError("UNAVAILABLE", "the reservation's workflow does not run");
  try {
    const state = await starters.advanceReservationClock(reservationId, { requestKey: `test-clock:${randomUUID()}`, ...rest });
    if (state !== undefined) return;
  } catch (error) {
    failure = error;
  }
  // The row is closed before its workflow is: it says whether the workflow was missed because it was closing.
  refuseClosed(await findReservation(db, reservationId));
  throw failure;
}
