import type { ReservationInput, ReservationState } from "../../src/contract/reservations.ts";
import type { ActivityDeps } from "../activity-deps.ts";

/** The step that a reservation begins with. */
interface FirstStep {
  placeHold(input: { readonly reservation: ReservationInput; readonly expiresAt: string }): Promise<ReservationState>;
}

/** Tells who waits in this process that a hold stands, or that the step has failed: then only the workflow knows what became of it. */
export function tellingPlacedHolds<Activities extends FirstStep>(
  activities: Activities,
  { tellHold = () => {} }: Pick<ActivityDeps, "tellHold">,
): Activities {
  return {
    ...activities,
    async placeHold(input: Parameters<FirstStep["placeHold"]>[0]) {
      let held: ReservationState | undefined;
      try {
        return (held = await activities.placeHold(input));
      } finally {
        tellHold(input.reservation.reservationId, held);
      }
    },
  };
}
