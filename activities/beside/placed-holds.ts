import { DomainError, ERROR_CATALOGUE } from "../../src/base/errors.ts";
import type { ReservationInput, ReservationState } from "../../src/contract/reservations.ts";
import type { ActivityDeps } from "../activity-deps.ts";

/** The step that a reservation begins with. */
interface FirstStep {
  placeHold(input: { readonly reservation: ReservationInput; readonly expiresAt: string }): Promise<ReservationState>;
}

/**
 * Tells who waits in this process that a hold stands or was refused for good, or that the step has failed otherwise: then only the workflow
 * knows what becomes of it.
 */
export function tellingPlacedHolds<Activities extends FirstStep>(
  activities: Activities,
  { tellHold = () => {} }: Pick<ActivityDeps, "tellHold">,
): Activities {
  return {
    ...activities,
    async placeHold(input: Parameters<FirstStep["placeHold"]>[0]) {
      const { reservationId } = input.reservation;
      try {
        const held = await activities.placeHold(input);
        tellHold(reservationId, held);
        return held;
      } catch (error) {
        tellHold(reservationId, isRefusal(error) ? error : undefined);
        throw error;
      }
    },
  };
}

/** The ledger keeps such a refusal under the hold's key: it stands whatever comes. */
function isRefusal(error: unknown): error is DomainError {
  return error instanceof DomainError && ERROR_CATALOGUE[error.code].remedy === "change the request";
}
