import { defineQuery, defineUpdate } from "@temporalio/workflow";

export const HOLD_STATUSES = ["held", "confirmed", "released", "expired"] as const;
/** The state of a reservation and of the hold behind it. It leaves `held` once, by a guarded update. */
export type HoldStatus = (typeof HOLD_STATUSES)[number];

/** What starts a `reservation` workflow. */
export interface ReservationInput {
  readonly reservationId: string;
  readonly userId: string;
  readonly serviceId: string;
  readonly orderId: string;
  readonly currency: string;
  readonly amountMinor: string;
  /** How long the money is held, in milliseconds from the start of the workflow. */
  readonly ttlMs: number;
  /** ISO 8601: the end itself, where several reservations are to have the same one; without it the time counts from the start. */
  readonly expiresAt?: string;
  readonly comment: string;
  readonly requestHash: string;
  readonly correlationId: string;
  readonly caller: string;
  /** How long before the end `reservation.expiring` is sent, in milliseconds; without it, or when the time to live is not longer, never. */
  readonly expiringMs?: number;
  /** How many requests one run takes before it continues as a new run, REQUESTS_PER_RUN by default. */
  readonly requestsPerRun?: number;
}

/**
 * How many requests a run of a reservation takes before it continues as a new run at its next idle moment. The server takes 2,000 updates
 * in a run and advises a new run from 4,096 events on, which some 500 requests make (temporalio/temporal, history.maxTotalUpdates and
 * limit.historyCount.suggestContinueAsNew).
 */
export const REQUESTS_PER_RUN = 200;

/**
 * A reservation as it stands. `amountMinor` = captured + released + what is still held.
 * `status` says how the last part left: `confirmed` when it was captured, `released` or `expired` when it went back.
 */
export interface ReservationState {
  readonly reservationId: string;
  readonly status: HoldStatus;
  readonly currency: string;
  readonly amountMinor: string;
  readonly capturedMinor: string;
  readonly releasedMinor: string;
  /** ISO 8601, UTC. */
  readonly expiresAt: string;
}

/** What `status` answers: the state and the whole seconds left until the hold is released by itself. */
export interface ReservationStatus extends ReservationState {
  readonly remainingSeconds: number;
}

/** Whole seconds until the hold is released by itself, rounded up, never below zero; zero once it is closed. */
export function remainingSeconds(state: { readonly status: HoldStatus; readonly expiresAt: string }, nowMs: number): number {
  return state.status === "held" ? Math.max(0, Math.ceil((Date.parse(state.expiresAt) - nowMs) / 1_000)) : 0;
}

/** One request to a running reservation. `requestKey` is the client's permanent key, so that a repeat is the same operation. */
export interface ConfirmInput {
  readonly requestKey: string;
  /** Minor units to capture; without it all that is still held. */
  readonly amountMinor?: string;
  /** Who asks; without them the operation is told under whoever placed the reservation. */
  readonly caller?: string;
  readonly correlationId?: string;
}
export interface ReleaseInput {
  readonly requestKey: string;
  readonly caller?: string;
  readonly correlationId?: string;
}
export interface ExtendInput {
  readonly requestKey: string;
  /** What was asked for: another time under the same key is a conflict. */
  readonly ttlMs: number;
  /** ISO 8601: the new end. An end that is already later stays. */
  readonly expiresAt: string;
  readonly caller: string;
  readonly correlationId: string;
}
export interface AdvanceClockInput {
  readonly requestKey: string;
  /** How much nearer the end comes, in milliseconds. */
  readonly advanceMs: number;
  readonly caller: string;
  readonly correlationId: string;
}

/** A request that a reservation's workflow has accepted. */
export type ReservationWish =
  | { readonly kind: "confirm"; readonly input: ConfirmInput }
  | { readonly kind: "release"; readonly input: ReleaseInput }
  | { readonly kind: "extend"; readonly input: ExtendInput }
  | { readonly kind: "advanceClock"; readonly input: AdvanceClockInput };

/** What a run of a reservation's workflow hands to the run that continues it. */
export interface ReservationCarried {
  /** The state of the hold, with its end. */
  readonly state: ReservationState;
  /** The end that was announced, ISO 8601. */
  readonly announcedEnd?: string;
  /** Accepted requests without an outcome: the new run goes on with them. */
  readonly wishes: readonly ReservationWish[];
}

/**
 * The type of the failure by which a run answers an accepted request that the next run goes on with. The request is to be sent again under
 * the same key: the next run answers it.
 */
export const CARRIED_OVER = "CARRIED_OVER";

/** Answers once, as soon as the money is held or refused. */
export const reservationPlacedUpdate = defineUpdate<ReservationState, []>("placed");
/** Captures all or a part. Fails with the catalogue's code when the reservation is no longer held. */
export const confirmReservationUpdate = defineUpdate<ReservationState, [ConfirmInput]>("confirm");
/** Gives back what is still held. */
export const releaseReservationUpdate = defineUpdate<ReservationState, [ReleaseInput]>("release");
/** Moves the end away; the same timer is armed anew. Fails with the catalogue's code when the reservation is no longer held. */
export const extendReservationUpdate = defineUpdate<ReservationState, [ExtendInput]>("extend");
/** Moves the end nearer, for tests of what happens then. */
export const advanceReservationClockUpdate = defineUpdate<ReservationState, [AdvanceClockInput]>("advanceClock");
export const reservationStatusQuery = defineQuery<ReservationStatus>("status");
