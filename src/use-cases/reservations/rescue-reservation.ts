import { DomainError } from "../../base/errors.ts";
import { rescueOperation } from "../../domain/ledger/rescue-operation.ts";
import { closedReservationCode } from "../../domain/reservations/reservation-states.ts";
import { findDecided } from "../../store/ledger/find-decided.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import { refuseWhilePaused } from "./ask-or-post.ts";
import { findReservation } from "./find-reservation.ts";
import { originOfRequest, type ActResult, type ReservationParts, type ReservationRequest } from "./reservation-request.ts";

/** Tries to rescue one reservation: more are not needed unless its user runs in and out of money on purpose. */
const MAX_RESCUES = 20;

/**
 * Takes the money of a confirmation that came late from the available balance, all that went back or `wantedMinor`: for `graceMs`
 * (RESERVATION_GRACE_MS) after it went back, and once. Each try has a key of the reservation's own with a number, so that of many late confirmations one at most is paid.
 * Safe to retry: the request's key is the content of its try.
 * Throws: RESERVATION_EXPIRED with the reason, ALREADY_CONFIRMED when another confirmation was rescued, ALREADY_RELEASED,
 * AMOUNT_EXCEEDS_HOLD, PAUSED, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function rescueReservation(
  { db, ledger, pausedFor, graceMs }: ReservationParts,
  request: ReservationRequest,
  reservationId: string,
  wantedMinor: bigint | undefined,
): Promise<ActResult> {
  const hold = await findReservation(db, reservationId);
  const code = closedReservationCode(hold.status);
  if (code !== "RESERVATION_EXPIRED") throw new DomainError(code ?? "UNAVAILABLE");
  const amountMinor = wantedMinor ?? hold.releasedMinor;
  const origin = originOfRequest(request, hold);
  for (let attempt = 0; attempt < MAX_RESCUES; attempt += 1) {
    const operation = rescueOperation({ ...hold, attempt, amountMinor, requestKey: request.key, origin });
    const decision = await findDecided(db, operation);
    if (decision?.outcome === "done") return { replayed: true };
    if (decision?.outcome === "refused") throw expired(NOT_COVERED);
    if (decision?.outcome === "conflict") {
      // Another request has this number: it was paid, or it was refused, and then the next number is free.
      if (decision.otherWasDone) throw new DomainError("ALREADY_CONFIRMED");
      continue;
    }
    refuseBeyondGrace(hold, graceMs);
    if (amountMinor > hold.releasedMinor) throw new DomainError("AMOUNT_EXCEEDS_HOLD");
    await refuseWhilePaused(pausedFor, hold);
    const result = await ledger.post(operation);
    if (result.outcome === "done") return { replayed: result.duplicate };
    if (result.outcome === "refused") throw expired(NOT_COVERED);
    // Another request was faster with this number: look again what became of it.
    attempt -= 1;
  }
  throw expired("it was tried too often");
}

const NOT_COVERED = "the money went back, and the available balance does not cover it any more";

function refuseBeyondGrace({ updatedAt }: HoldRecord, graceMs: number): void {
  const lastMs = updatedAt.getTime() + graceMs;
  if (graceMs > 0 && Date.now() <= lastMs) return;
  const until = graceMs > 0 ? ` and it could be confirmed until ${new Date(lastMs).toISOString()}` : "";
  throw expired(`its money went back at ${updatedAt.toISOString()}${until}`);
}

function expired(reason: string): DomainError {
  return new DomainError("RESERVATION_EXPIRED", `The reservation has expired: ${reason}.`);
}
