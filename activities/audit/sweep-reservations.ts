import type { SelfAuditFinding } from "../../src/contract/self-audit.ts";
import { pausedFor } from "../../src/store/operators/pauses.ts";
import { listOpenReservations, reservationInputOf, type OpenReservation } from "../../src/store/orders/unfinished.ts";
import { expireHold } from "../../src/store/reservations/hold-expiry.ts";
import { getHold } from "../../src/store/reservations/holds.ts";
import type { ActivityDeps, WorkflowPort } from "../activity-deps.ts";
import { findingOf, PER_RUN } from "./finding.ts";
import { repairLost } from "./repair-lost.ts";

type Deps = Pick<ActivityDeps, "db" | "ledger" | "workflows" | "logger">;

/** The self-audit's check of reservations. */
export function createReservationSweep({ db, ledger, workflows, logger }: Deps) {
  return {
    /**
     * Ends or restarts each reservation that holds money and whose workflow is gone. Past its end the money goes back to the wallet, under
     * the key that the workflow itself would use. Before its end, and while a pause keeps it, the reservation gets a workflow again, for
     * the time that is left. Safe to retry: the workflow's key and the row's state let nothing happen twice.
     * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
     */
    async sweepReservations(): Promise<SelfAuditFinding> {
      const found = { checked: 0, broken: [] as string[], repaired: [] as string[] };
      if (workflows !== undefined)
        for (const which of ["overdue", "running"] as const) {
          const open = await listOpenReservations(db, { which, limit: PER_RUN });
          const { broken, repaired } = await repairLost(open, {
            workflows,
            logger,
            workflowIdOf: ({ hold }) => hold.workflowId,
            wordsOf: ({ hold }) => `reservation ${hold.holdId} has no workflow`,
            repair: (reservation) => repair(reservation, workflows),
          });
          found.checked += open.length;
          found.broken.push(...broken);
          found.repaired.push(...repaired);
        }
      return findingOf("reservations", "every reservation that holds money has its workflow", found);
    },
  };

  async function repair(reservation: OpenReservation, port: WorkflowPort): Promise<{ readonly repaired: string } | undefined> {
    const { caller, correlationId } = reservation;
    // Read again: after the list was read and before Temporal answered, the workflow may have closed the hold and ended.
    const hold = await getHold(db, reservation.hold.holdId);
    if (hold === undefined || hold.status !== "held") return undefined;
    const isOver = hold.expiresAt.getTime() <= Date.now();
    if (isOver && (await pausedFor(db, { userId: hold.userId, serviceIds: [hold.serviceId] })) === undefined) {
      const result = await expireHold(ledger, hold, { caller, correlationId });
      return result.outcome === "done"
        ? { repaired: `reservation ${hold.holdId} was past its end without a workflow; its money went back to the wallet` }
        : undefined;
    }
    await port.restartReservation(reservationInputOf({ hold, caller, correlationId }, Date.now()));
    return { repaired: `reservation ${hold.holdId} had no workflow; it was started again` };
  }
}
