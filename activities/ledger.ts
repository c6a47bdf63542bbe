import { stepKey } from "../src/contract/ids.ts";
import type { ConfirmInput, ReleaseInput, ReservationInput, ReservationState } from "../src/contract/reservations.ts";
import { captureHoldOperation, placeHoldOperation, releaseHoldOperation } from "../src/domain/hold-operations.ts";
import { DomainError } from "../src/errors.ts";
import { getHold } from "../src/store/holds.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import { currentOrigin, currentWorkflow } from "./execution.ts";
import { settled } from "./orders.ts";

/** The steps of a reservation. Each is safe to retry by its key, and the row's guarded state decides which of two comes first. */
export function createLedgerActivities({ db, ledger }: Pick<ActivityDeps, "db" | "ledger">) {
  const stateOf = async (reservationId: string): Promise<ReservationState | undefined> => {
    const hold = await getHold(db, reservationId);
    if (hold === undefined) return undefined;
    return {
      reservationId,
      status: hold.status,
      currency: hold.currency,
      amountMinor: hold.amountMinor.toString(),
      capturedMinor: hold.capturedMinor.toString(),
      releasedMinor: hold.releasedMinor.toString(),
      expiresAt: hold.expiresAt.toISOString(),
    };
  };
  const knownStateOf = async (reservationId: string): Promise<ReservationState> => {
    const state = await stateOf(reservationId);
    if (state === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
    return state;
  };

  return {
    /** Sets the money aside until `expiresAt` (ISO 8601). Throws: INSUFFICIENT_FUNDS, IDEMPOTENCY_CONFLICT. */
    async placeHold({
      reservation,
      expiresAt,
    }: {
      readonly reservation: ReservationInput;
      readonly expiresAt: string;
    }): Promise<ReservationState> {
      const { amountMinor, requestHash } = reservation;
      settled(
        await ledger.post(
          placeHoldOperation({ ...ownerOf(reservation, workflowKey("hold")), amountMinor: BigInt(amountMinor), expiresAt, requestHash }),
        ),
      );
      return knownStateOf(reservation.reservationId);
    },

    /** Captures all or a part under the client's key. Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, AMOUNT_EXCEEDS_HOLD, IDEMPOTENCY_CONFLICT. */
    async captureHold({
      reservation,
      confirm,
    }: {
      readonly reservation: ReservationInput;
      readonly confirm: ConfirmInput;
    }): Promise<ReservationState> {
      const amountMinor = confirm.amountMinor === undefined ? ("remainder" as const) : BigInt(confirm.amountMinor);
      settled(await ledger.post(captureHoldOperation({ ...ownerOf(reservation, confirm.requestKey), amountMinor })));
      return knownStateOf(reservation.reservationId);
    },

    /** Gives back what is held, under the client's key. Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, IDEMPOTENCY_CONFLICT. */
    async releaseHold({
      reservation,
      release,
    }: {
      readonly reservation: ReservationInput;
      readonly release: ReleaseInput;
    }): Promise<ReservationState> {
      settled(await ledger.post(releaseHoldOperation({ ...ownerOf(reservation, release.requestKey), effect: "release" })));
      return knownStateOf(reservation.reservationId);
    },

    /**
     * Ends the hold from the workflow's own side: its time passed (`expire`) or the workflow is being cancelled (`release`).
     * When another change closed it first, that one stands. Returns the row as it is then; undefined when nothing was ever held.
     */
    async endHold({
      reservation,
      effect,
    }: {
      readonly reservation: ReservationInput;
      readonly effect: "release" | "expire";
    }): Promise<ReservationState | undefined> {
      const state = await stateOf(reservation.reservationId);
      if (state === undefined || state.status !== "held") return state;
      const key = workflowKey(effect === "expire" ? "expiry" : "release");
      const result = await ledger.post(releaseHoldOperation({ ...ownerOf(reservation, key), effect }));
      if (result.outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
      return knownStateOf(reservation.reservationId);
    },
  };
}

function workflowKey(step: "hold" | "expiry" | "release"): string {
  return stepKey(currentWorkflow().workflowId, step);
}

function ownerOf(reservation: ReservationInput, key: string) {
  return {
    key,
    holdId: reservation.reservationId,
    userId: reservation.userId,
    serviceId: reservation.serviceId,
    orderId: reservation.orderId,
    currency: reservation.currency,
    comment: reservation.comment,
    origin: currentOrigin(reservation),
  };
}
