import type { HoldStatus } from "../contract/reservations.ts";
import { DomainError, type ErrorCode } from "../errors.ts";

/** Every move a reservation may make: it leaves `held` once and never comes back. A part that is captured leaves it held. */
export const RESERVATION_TRANSITIONS: Readonly<Record<HoldStatus, readonly HoldStatus[]>> = {
  held: ["confirmed", "released", "expired"],
  confirmed: [],
  released: [],
  expired: [],
};

const REFUSAL_OF: Readonly<Record<Exclude<HoldStatus, "held">, ErrorCode>> = {
  confirmed: "ALREADY_CONFIRMED",
  released: "ALREADY_RELEASED",
  expired: "RESERVATION_EXPIRED",
};

/** The code that a closed reservation answers to every further wish; undefined while it is held. */
export function closedReservationCode(status: HoldStatus): ErrorCode | undefined {
  return status === "held" ? undefined : REFUSAL_OF[status];
}

/** Refuses a move that is not in the table. Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED; CONFLICT for a move to the same state. */
export function assertReservationTransition(from: HoldStatus, to: HoldStatus): void {
  if (RESERVATION_TRANSITIONS[from].includes(to)) return;
  throw new DomainError(closedReservationCode(from) ?? "CONFLICT", `a reservation cannot go from ${from} to ${to}`);
}

/** Whole seconds until the hold is released by itself, rounded up, never below zero; zero once it is closed. */
export function remainingSeconds(state: { readonly status: HoldStatus; readonly expiresAt: string }, nowMs: number): number {
  if (state.status !== "held") return 0;
  return Math.max(0, Math.ceil((Date.parse(state.expiresAt) - nowMs) / 1_000));
}
