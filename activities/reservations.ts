import { activityInfo } from "@temporalio/activity";
import { ApplicationFailure, ApplicationFailureCategory } from "@temporalio/common";
import { DomainError } from "../src/base/errors.ts";
import { stepKey } from "../src/contract/ids.ts";
import type {
  AdvanceClockInput,
  ConfirmInput,
  ExtendInput,
  ReleaseInput,
  ReservationInput,
  ReservationState,
} from "../src/contract/reservations.ts";
import { captureHoldOperation, placeHoldOperation, releaseHoldOperation } from "../src/domain/ledger/hold-operations.ts";
import { closedReservationCode } from "../src/domain/reservations/reservation-states.ts";
import { doneOrThrow } from "../src/store/ledger/done-or-throw.ts";
import { findOperation } from "../src/store/ledger/operations.ts";
import { createPauseCheck, type PauseRecord } from "../src/store/operators/pauses.ts";
import { expireIfOver } from "../src/store/reservations/hold-expiry.ts";
import { extensionContent, moveHoldEnd, tellHoldExpiring, type HoldMove } from "../src/store/reservations/hold-moves.ts";
import { getHold, type HoldRecord } from "../src/store/reservations/holds.ts";
import type { ActivityDeps } from "./activity-deps.ts";
import { currentOrigin, currentWorkflow } from "./execution.ts";

/** During a pause the end of a hold is moved on by a quarter of the pause's age, within these bounds: few moves, and the hold ends soon after the pause. */
const PAUSE_STEP_MS = { least: 5_000, most: 300_000 };
/** The wait between two attempts of a capture during a pause, once its fast retries are spent. */
const PAUSED_RETRY_MS = 5_000;

/** The steps of a reservation. Each is safe to retry by its key, and of two steps at once the row's guarded state lets one win. */
export function createReservationActivities({ db, ledger }: Pick<ActivityDeps, "db" | "ledger">) {
  const pausedFor = createPauseCheck(db);
  const pauseOf = ({ userId, serviceId }: ReservationInput) => pausedFor({ userId, serviceIds: [serviceId] });
  const knownStateOf = async (reservationId: string): Promise<ReservationState> => {
    const hold = await getHold(db, reservationId);
    if (hold === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
    return stateOf(hold);
  };
  const moveEnd = async (move: HoldMove): Promise<ReservationState> => {
    const outcome = await moveHoldEnd(db, move);
    if (outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
    if (outcome === "missing") throw new DomainError("RESERVATION_NOT_FOUND");
    const code = outcome === "done" || outcome === "duplicate" ? undefined : closedReservationCode(outcome);
    if (code !== undefined) throw new DomainError(code);
    return knownStateOf(move.holdId);
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
      const { reservationId, currency, amountMinor, requestHash } = reservation;
      const owner = ownerOf(reservation, workflowKey("hold"));
      const { duplicate } = doneOrThrow(
        await ledger.post(placeHoldOperation({ ...owner, amountMinor: BigInt(amountMinor), expiresAt, requestHash })),
      );
      // A hold of this moment is known; one of before may have moved on since.
      if (duplicate) return knownStateOf(reservationId);
      const untouched = { capturedMinor: "0", releasedMinor: "0", expiresAt: new Date(expiresAt).toISOString() };
      return { reservationId, status: "held", currency, amountMinor, ...untouched };
    },

    /** Captures all or a part under the client's key; past its end the hold is given back first. Fails as long as a pause stands, to be asked again. Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, AMOUNT_EXCEEDS_HOLD, IDEMPOTENCY_CONFLICT. */
    async captureHold({
      reservation,
      confirm,
      heldUntil,
    }: {
      readonly reservation: ReservationInput;
      readonly confirm: ConfirmInput;
      /** The end that the workflow knows, ISO 8601; the row's is the same or later. Without it the row is asked. */
      readonly heldUntil?: string;
    }): Promise<ReservationState> {
      const amountMinor = confirm.amountMinor === undefined ? ("remainder" as const) : BigInt(confirm.amountMinor);
      const pause = await pauseOf(reservation);
      // What was decided under this key before the pause is only told again.
      if (pause !== undefined && (await findOperation(db, confirm.requestKey)) === undefined) throw waitsFor(pause);
      // A worker may be late with the timer. Before the end there is nothing to ask.
      const isInTime = heldUntil !== undefined && Date.now() < Date.parse(heldUntil);
      const hold = pause === undefined && !isInTime ? await getHold(db, reservation.reservationId) : undefined;
      if (hold !== undefined) await expireIfOver(ledger, hold, currentOrigin(reservation));
      const operation = captureHoldOperation({ ...ownerOf(askedBy(reservation, confirm), confirm.requestKey), amountMinor });
      const { duplicate } = doneOrThrow(await ledger.post(operation));
      if (duplicate || !isInTime || amountMinor !== "remainder") return knownStateOf(reservation.reservationId);
      // All that was still held became revenue, and nothing of a hold that was still open has been given back.
      const { reservationId, currency, amountMinor: all } = reservation;
      return {
        reservationId,
        status: "confirmed",
        currency,
        amountMinor: all,
        capturedMinor: all,
        releasedMinor: "0",
        expiresAt: heldUntil,
      };
    },

    /** Gives back what is held, under the client's key. Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, IDEMPOTENCY_CONFLICT. */
    async releaseHold({
      reservation,
      release,
    }: {
      readonly reservation: ReservationInput;
      readonly release: ReleaseInput;
    }): Promise<ReservationState> {
      doneOrThrow(
        await ledger.post(releaseHoldOperation({ ...ownerOf(askedBy(reservation, release), release.requestKey), effect: "release" })),
      );
      return knownStateOf(reservation.reservationId);
    },

    /**
     * Ends the hold on the workflow's own account: its time passed (`expire`), or the workflow is being cancelled (`release`).
     * A hold that another change closed first stays as that change left it. During a pause a hold does not expire: its end is moved on.
     * It does not expire either while its row has a later end than `expiresAt`, the end that the workflow knows.
     * Returns the row's state afterwards, `held` with its end where it did not expire; undefined when nothing was ever held.
     */
    async endHold({
      reservation,
      effect,
      expiresAt,
    }: {
      readonly reservation: ReservationInput;
      readonly effect: "release" | "expire";
      readonly expiresAt: string;
    }): Promise<ReservationState | undefined> {
      const hold = await getHold(db, reservation.reservationId);
      if (hold === undefined) return undefined;
      if (hold.status !== "held" || (effect === "expire" && hold.expiresAt.getTime() > Date.parse(expiresAt))) return stateOf(hold);
      const pause = effect === "expire" ? await pauseOf(reservation) : undefined;
      if (pause !== undefined) {
        const move = { ...pauseMove(hold, pause), caller: reservation.caller, correlationId: reservation.correlationId };
        await moveHoldEnd(db, move);
        return knownStateOf(hold.holdId);
      }
      const key = workflowKey(effect === "expire" ? "expiry" : "release");
      const result = await ledger.post(releaseHoldOperation({ ...ownerOf(reservation, key), effect }));
      if (result.outcome === "conflict") throw new DomainError("IDEMPOTENCY_CONFLICT");
      return knownStateOf(reservation.reservationId);
    },

    /** Moves the hold's end to a later moment, never to an earlier one. Throws: ALREADY_CONFIRMED, ALREADY_RELEASED, RESERVATION_EXPIRED, IDEMPOTENCY_CONFLICT. */
    extendHold: ({
      reservation,
      extend,
    }: {
      readonly reservation: ReservationInput;
      readonly extend: ExtendInput;
    }): Promise<ReservationState> =>
      moveEnd({
        key: extend.requestKey,
        holdId: reservation.reservationId,
        kind: "extension",
        content: extensionContent(extend.ttlMs),
        newEnd: new Date(extend.expiresAt),
        caller: extend.caller,
        correlationId: extend.correlationId,
      }),

    /** Moves the hold's end to an earlier moment, for a test. Throws: as `extendHold`. */
    advanceHoldClock: ({
      reservation,
      advance,
      expiresAt,
    }: {
      readonly reservation: ReservationInput;
      readonly advance: AdvanceClockInput;
      readonly expiresAt: string;
    }): Promise<ReservationState> =>
      moveEnd({
        key: advance.requestKey,
        holdId: reservation.reservationId,
        kind: "test-clock",
        content: `advance ${advance.advanceMs}`,
        newEnd: new Date(expiresAt),
        caller: advance.caller,
        correlationId: advance.correlationId,
      }),

    /** Sends `reservation.expiring` through the outbox, once for each end that the hold has; for a closed hold it sends nothing. */
    async tellHoldExpiring({ reservationId, correlationId }: ReservationInput): Promise<void> {
      await tellHoldExpiring(db, { holdId: reservationId, correlationId });
    },
  };
}

function stateOf(hold: HoldRecord): ReservationState {
  return {
    reservationId: hold.holdId,
    status: hold.status,
    currency: hold.currency,
    amountMinor: hold.amountMinor.toString(),
    capturedMinor: hold.capturedMinor.toString(),
    releasedMinor: hold.releasedMinor.toString(),
    expiresAt: hold.expiresAt.toISOString(),
  };
}

function pauseMove(hold: HoldRecord, pause: PauseRecord): Omit<HoldMove, "caller" | "correlationId"> {
  const ageMs = Date.now() - pause.pausedAt.getTime();
  const stepMs = Math.min(Math.max(ageMs / 4, PAUSE_STEP_MS.least), PAUSE_STEP_MS.most);
  return {
    // The key holds the present end: from one end a pause moves the hold on once, however often the activity is retried.
    key: workflowKey(`pause/${hold.expiresAt.toISOString()}`),
    holdId: hold.holdId,
    kind: "pause",
    content: "pause",
    newEnd: new Date(Date.now() + stepMs),
  };
}

// Retried, and no final refusal: Temporal keeps an update's refusal for its id, also when the pause is over.
function waitsFor({ scope, subject, reason }: PauseRecord): ApplicationFailure {
  return ApplicationFailure.create({
    type: "PAUSED",
    message: `captures are paused for ${scope === "all" ? "all" : `${scope} ${subject}`}: ${reason}`.slice(0, 500),
    ...(activityInfo().isLocal ? {} : { nextRetryDelay: PAUSED_RETRY_MS }),
    category: ApplicationFailureCategory.BENIGN,
  });
}

function workflowKey(step: "hold" | "expiry" | "release" | `pause/${string}`): string {
  return stepKey(currentWorkflow().workflowId, step);
}

/** The reservation as the request's operation tells it: under the request's caller and correlation id. */
function askedBy(reservation: ReservationInput, { caller, correlationId }: ConfirmInput | ReleaseInput): ReservationInput {
  return {
    ...reservation,
    ...(caller === undefined ? {} : { caller }),
    ...(correlationId === undefined ? {} : { correlationId }),
  };
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
