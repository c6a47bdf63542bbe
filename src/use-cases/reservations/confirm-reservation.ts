import { codeOf } from "../../base/errors.ts";
import { captureHoldOperation } from "../../domain/ledger/hold-operations.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import { askOrPost } from "./ask-or-post.ts";
import { rescueReservation } from "./rescue-reservation.ts";
import { ownerOf, type ActResult, type ReservationParts, type ReservationRequest } from "./reservation-request.ts";

/**
 * Makes revenue of all that is held, or of `amountMinor`. A reservation that expired a moment ago is rescued (`rescue-reservation.ts`).
 * Safe to retry: the key decides.
 * Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, AMOUNT_EXCEEDS_HOLD, PAUSED, IDEMPOTENCY_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function confirmReservation(
  parts: ReservationParts,
  request: ReservationRequest,
  hold: HoldRecord,
  amountMinor: bigint | undefined,
): Promise<ActResult> {
  const operation = captureHoldOperation({
    ...ownerOf(request, hold),
    comment: "confirmed over HTTP",
    amountMinor: amountMinor ?? "remainder",
  });
  const { key: requestKey, caller, correlationId } = request;
  const wish = { requestKey, caller, correlationId, ...(amountMinor === undefined ? {} : { amountMinor: amountMinor.toString() }) };
  try {
    return await askOrPost(parts, hold, operation, () => parts.starters.confirmReservation(hold.holdId, wish));
  } catch (error) {
    if (codeOf(error) !== "RESERVATION_EXPIRED") throw error;
    return rescueReservation(parts, request, hold.holdId, amountMinor);
  }
}
