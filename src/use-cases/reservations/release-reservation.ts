import { releaseHoldOperation } from "../../domain/ledger/hold-operations.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import { askOrPost } from "./ask-or-post.ts";
import { ownerOf, type ActResult, type ReservationParts, type ReservationRequest } from "./reservation-request.ts";

/**
 * Gives back what is still held. Safe to retry: the key decides.
 * Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, IDEMPOTENCY_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export function releaseReservation(parts: ReservationParts, request: ReservationRequest, hold: HoldRecord): Promise<ActResult> {
  const operation = releaseHoldOperation({ ...ownerOf(request, hold), comment: "released over HTTP", effect: "release" });
  const { key: requestKey, caller, correlationId } = request;
  return askOrPost(parts, hold, operation, () => parts.starters.releaseReservation(hold.holdId, { requestKey, caller, correlationId }));
}
