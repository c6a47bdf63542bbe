import { DomainError } from "../../base/errors.ts";
import { confirmReservation } from "./confirm-reservation.ts";
import type { TripleWish } from "./place-triple.ts";
import { releaseReservation } from "./release-reservation.ts";
import type { ActResult, ReservationParts, ReservationRequest } from "./reservation-request.ts";
import { openReserveAmong, tripleHoldsOf, type TripleHold } from "./triple-holds.ts";

/** The request of an act on a triple. `isRepeatable` is true when its key is the client's own. */
export interface TripleRequest extends ReservationRequest {
  readonly isRepeatable: boolean;
}

/**
 * Makes revenue of the money held for exactly this user, service, order and amount, also a moment after its time has passed.
 * Throws: RESERVATION_NOT_FOUND, ALREADY_CONFIRMED, RESERVATION_EXPIRED, AMOUNT_EXCEEDS_HOLD, AMBIGUOUS, IDEMPOTENCY_CONFLICT, PAUSED,
 * UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function confirmTriple(
  parts: ReservationParts,
  request: TripleRequest,
  wish: TripleWish,
  currency: string,
): Promise<ActResult> {
  const { amountMinor } = wish;
  const holds = await tripleHoldsOf(parts.db, wish, currency);
  const justExpired = holds[0]?.status === "expired" && holds.every(({ status, paidMinor }) => status !== "held" && paidMinor === 0n);
  if (justExpired && holds[0]?.releasedMinor !== amountMinor) throw new DomainError("RESERVATION_EXPIRED");
  const hold = justExpired ? holds[0] : heldOrKnown(holds, amountMinor, request.isRepeatable);
  if (hold === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
  return await confirmReservation(parts, request, hold, amountMinor);
}

/**
 * Gives back the money held for exactly this user, service, order and amount: what is held, never what the request says.
 * Throws: RESERVATION_NOT_FOUND, ALREADY_CONFIRMED, AMOUNT_EXCEEDS_HOLD, AMBIGUOUS, IDEMPOTENCY_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function releaseTriple(
  parts: ReservationParts,
  request: TripleRequest,
  wish: TripleWish,
  currency: string,
): Promise<ActResult> {
  const holds = await tripleHoldsOf(parts.db, wish, currency);
  return await releaseReservation(parts, request, heldOrKnown(holds, wish.amountMinor, request.isRepeatable));
}

// A repeat whose first answer was lost before it was kept finds the hold closed, by itself: its key tells that.
function heldOrKnown(holds: readonly TripleHold[], amountMinor: bigint, isRepeatable: boolean): TripleHold {
  const [newest] = holds;
  const isClosed = newest !== undefined && holds.every(({ status }) => status !== "held");
  return isClosed && isRepeatable && newest.amountMinor === amountMinor ? newest : openReserveAmong(holds, amountMinor);
}
