import { DomainError } from "../../base/errors.ts";
import { reservationWorkflowId, stepKey } from "../../contract/ids.ts";
import { releaseHoldOperation } from "../../domain/ledger/hold-operations.ts";
import type { Origin } from "../../domain/ledger/operations.ts";
import type { Ledger, PostResult } from "../ledger/ledger.ts";
import type { HoldRecord } from "./holds.ts";

/**
 * Gives back what a reservation still holds because its time has passed. It is posted under the key of the workflow's own step, so
 * that the workflow, the sweeper and a request that finds the workflow gone can never do it twice between them.
 * Safe to retry. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export function expireHold(ledger: Ledger, hold: HoldRecord, origin: Origin): Promise<PostResult> {
  return ledger.post(
    releaseHoldOperation({
      ...hold,
      key: stepKey(reservationWorkflowId(hold.holdId), "expiry"),
      effect: "expire",
      origin: { ...origin, workflowId: reservationWorkflowId(hold.holdId) },
    }),
  );
}

/**
 * As `expireHold`, for a reservation that is still held past its end: its time is what the client was told, also when the timer of its
 * workflow is late or nothing runs any more. Answers whether the time has passed; the row's state then decides what is asked of the hold.
 * Safe to retry. Throws: IDEMPOTENCY_CONFLICT when the expiry's key belongs to another operation; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function expireIfOver(ledger: Ledger, hold: HoldRecord, origin: Origin): Promise<boolean> {
  if (hold.status !== "held" || hold.expiresAt.getTime() > Date.now()) return false;
  const { outcome } = await expireHold(ledger, hold, origin);
  if (outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
  return true;
}
