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
