import { reservationWorkflowId } from "../../contract/ids.ts";
import type { HoldOwner } from "../../domain/ledger/hold-operations.ts";
import type { Origin } from "../../domain/ledger/operations.ts";
import type { Starters } from "../../starters/index.ts";
import type { Ledger } from "../../store/ledger/ledger.ts";
import type { createPauseCheck } from "../../store/operators/pauses.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";

/** Who asks something of a reservation, and under which permanent key. */
export interface ReservationRequest {
  readonly key: string;
  readonly caller: string;
  readonly correlationId: string;
}

/** `replayed` is true when an earlier request with the same key did it. */
export interface ActResult {
  readonly replayed: boolean;
}

/** What the acts on a reservation stand on. */
export interface ReservationParts {
  readonly db: Db;
  readonly ledger: Ledger;
  readonly starters: Pick<Starters, "confirmReservation" | "releaseReservation" | "extendReservation">;
  readonly pausedFor: ReturnType<typeof createPauseCheck>;
  /** How long after its money went back a confirmation is still rescued, in milliseconds; 0 is never. */
  readonly graceMs: number;
}

/** Where an operation of this request comes from: the caller, on behalf of the reservation's workflow. */
export function originOfRequest({ caller, correlationId }: ReservationRequest, { holdId }: HoldRecord): Origin {
  return { caller, correlationId, workflowId: reservationWorkflowId(holdId) };
}

/** The hold's part of an operation that is posted under the request's key. */
export function ownerOf(request: ReservationRequest, hold: HoldRecord): HoldOwner & { readonly key: string; readonly origin: Origin } {
  const { holdId, userId, serviceId, orderId, currency } = hold;
  return { key: request.key, holdId, userId, serviceId, orderId, currency, origin: originOfRequest(request, hold) };
}
