import type { DomainError } from "../base/errors.ts";
import type { ReservationState } from "../contract/reservations.ts";
import type { Waits } from "./waits.ts";

/** A hold that stands, or its final refusal; undefined where the step failed otherwise, and only the workflow knows what becomes of it. */
export type PlacedHold = ReservationState | DomainError | undefined;

/** The holds that the workers of a process place or refuse. */
export type PlacedHolds = Waits<PlacedHold>;
