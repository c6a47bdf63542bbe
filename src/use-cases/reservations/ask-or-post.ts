import { codeOf, DomainError } from "../../base/errors.ts";
import type { ReservationState } from "../../contract/reservations.ts";
import type { Operation } from "../../domain/ledger/operations.ts";
import { isClosedCode } from "../../domain/reservations/reservation-states.ts";
import { postOnLedger } from "../../store/ledger/done-or-throw.ts";
import { wasDone } from "../../store/ledger/find-decided.ts";
import { expireIfOver } from "../../store/reservations/hold-expiry.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import { findReservation } from "./find-reservation.ts";
import type { ActResult, ReservationParts } from "./reservation-request.ts";

/**
 * Asks the reservation's workflow to confirm or release, and where there is none any more posts the operation itself, under the same key.
 *
 * The workflow's activity looks again at whether the key was decided, at the pauses and at the end of the hold, since whoever looked
 * first may lose the race; the hold's row decides it. The ledger keeps a refusal under the key too, so that a repeat never acts on something else.
 * Safe to retry: the key decides.
 * Throws: the code it was refused with, IDEMPOTENCY_CONFLICT, PAUSED for a capture, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function askOrPost(
  { db, ledger, pausedFor }: ReservationParts,
  hold: HoldRecord,
  operation: Operation,
  ask: () => Promise<ReservationState | undefined>,
): Promise<ActResult> {
  if (await wasDone(db, operation)) return { replayed: true };
  if (operation.kind === "capture" && hold.status === "held") await refuseWhilePaused(pausedFor, hold);
  try {
    if (hold.status !== "held") await postOnLedger(ledger, operation);
    else if ((await ask()) === undefined) {
      await expireIfOver(ledger, await findReservation(db, hold.holdId), operation.origin);
      await postOnLedger(ledger, operation);
    }
  } catch (error) {
    // The first of two requests with one key may have been done while this one was under way.
    if (!isClosedCode(codeOf(error)) || !(await wasDone(db, operation))) throw error;
    return { replayed: true };
  }
  return { replayed: false };
}

/** Throws: PAUSED while a pause concerns the hold's user or service; UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function refuseWhilePaused(pausedFor: ReservationParts["pausedFor"], { userId, serviceId }: HoldRecord): Promise<void> {
  const pause = await pausedFor({ userId, serviceIds: [serviceId] });
  if (pause !== undefined) throw new DomainError("PAUSED");
}
