import { DomainError } from "../../base/errors.ts";
import { expireIfOver } from "../../store/reservations/hold-expiry.ts";
import { extensionContent, findHoldMove, moveHoldEnd } from "../../store/reservations/hold-moves.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import { findReservation, refuseClosed } from "./find-reservation.ts";
import type { ActResult, ReservationParts, ReservationRequest } from "./reservation-request.ts";

/**
 * Holds the money until `newEnd`; an end that is later already stays. Where no workflow runs any more the hold's row is moved here.
 * Safe to retry: the key decides, and `ttlMs` is its content.
 * Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, RESERVATION_NOT_FOUND, IDEMPOTENCY_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function extendReservation(
  { db, ledger, starters }: ReservationParts,
  { key, caller, correlationId }: ReservationRequest,
  hold: HoldRecord,
  { ttlMs, newEnd }: { readonly ttlMs: number; readonly newEnd: Date },
): Promise<ActResult> {
  const content = extensionContent(ttlMs);
  const known = await findHoldMove(db, key);
  if (known !== undefined) {
    if (known.holdId !== hold.holdId || known.content !== content) throw new DomainError("IDEMPOTENCY_CONFLICT");
    return { replayed: true };
  }
  refuseClosed(hold);
  const wish = { requestKey: key, ttlMs, expiresAt: newEnd.toISOString(), caller, correlationId };
  if ((await starters.extendReservation(hold.holdId, wish)) !== undefined) return { replayed: false };

  const fresh = await findReservation(db, hold.holdId);
  refuseClosed(fresh);
  await expireIfOver(ledger, fresh, { caller, correlationId });
  const outcome = await moveHoldEnd(db, { key, holdId: hold.holdId, kind: "extension", content, newEnd, caller, correlationId });
  if (outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
  if (outcome === "missing") throw new DomainError("RESERVATION_NOT_FOUND");
  if (outcome !== "done" && outcome !== "duplicate") refuseClosed({ status: outcome });
  return { replayed: outcome === "duplicate" };
}
