import type { ReservationState } from "../contract/reservations.ts";
import type { Waits } from "./waits.ts";

/** The holds that the workers of a process place; undefined where the step failed, and only the workflow knows what became of it. */
export type PlacedHolds = Waits<ReservationState | undefined>;
