import { reservationWorkflowId, stepKey } from "../../contract/ids.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import { placeHoldOperation } from "../../domain/ledger/hold-operations.ts";
import type { Operation } from "../../domain/ledger/operations.ts";

/** The hold that the workflow of this reservation makes, as far as its key and content tell it: its end is not known here. */
export function holdOfReservation(input: ReservationInput): Operation {
  return placeHoldOperation({
    ...input,
    amountMinor: BigInt(input.amountMinor),
    holdId: input.reservationId,
    expiresAt: "",
    key: stepKey(reservationWorkflowId(input.reservationId), "hold"),
    origin: input,
  });
}
