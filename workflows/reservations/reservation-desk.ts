import { ApplicationFailure, CancellationScope, condition, isCancellation, setCurrentDetails } from "@temporalio/workflow";
import { formatAmount } from "../../src/base/money.ts";
import type { ReservationInput, ReservationState } from "../../src/contract/reservations.ts";
import { closedReservationCode } from "../../src/domain/reservations/reservation-states.ts";
import { failureOf, type Failure } from "../steps/failures.ts";

/** What the workflow of a reservation knows of its hold and shows to clients and the Temporal UI, and how requests change it. */
export interface ReservationDesk {
  /** The newest known state of the hold; undefined until the money is held. */
  state(): ReservationState | undefined;
  /** Until when the money is held, ms since the epoch; before it is held, until when it is to be held. */
  endMs(): number;
  /** Shows the state of the hold. */
  show(next: ReservationState): void;
  /** Shows that the money is held, until the end that the hold's row has. */
  placed(hold: ReservationState): void;
  /** Shows a hold that its row keeps although the end has come; the end moves to the row's end, never back. */
  heldOn(hold: ReservationState): void;
  /** Refuses the reservation: every `held` throws this failure from now on. */
  refuse(failure: Failure): void;
  /** Waits until the money is held; returns the state. Throws: the reservation's refusal. Cannot be cancelled. */
  held(): Promise<ReservationState>;
  /** Runs the step of a request that takes money out of the hold, once the money is held, and shows its result. Throws: the step's failure. */
  change(step: () => Promise<ReservationState>): Promise<ReservationState>;
  /** Runs the step of a request that moves the hold's end, once the money is held, and shows the new end. Throws: the step's failure. */
  moveEnd(step: () => Promise<ReservationState>): Promise<ReservationState>;
  /** For validators. Throws: the code of the closed state once nothing is held any more. */
  refuseOnceClosed(): void;
}

/** Creates the desk of a reservation whose time begins now. */
export function createReservationDesk(input: ReservationInput): ReservationDesk {
  let endMs = Date.now() + input.ttlMs;
  let state: ReservationState | undefined;
  let refusal: ApplicationFailure | undefined;

  const show = (next: ReservationState, note = "") => {
    state = { ...next, expiresAt: new Date(endMs).toISOString() };
    setCurrentDetails(detailsOf(input, state) + note);
  };
  const held = async (): Promise<ReservationState> => {
    await CancellationScope.nonCancellable(() => condition(() => state !== undefined || refusal !== undefined));
    if (refusal !== undefined) throw refusal;
    return state as ReservationState;
  };
  const request = async (step: () => Promise<ReservationState>): Promise<ReservationState> => {
    await held();
    try {
      // Repeated until its outcome is known: the money may have moved, and a client that repeats the request joins this very update.
      return await CancellationScope.nonCancellable(step);
    } catch (error) {
      if (isCancellation(error)) throw error;
      const { code, message } = failureOf(error);
      throw ApplicationFailure.nonRetryable(message, code);
    }
  };

  return {
    state: () => state,
    endMs: () => endMs,
    show: (next) => show(next),
    placed(hold) {
      // A workflow that was started again for a standing hold takes over the end that the row has.
      endMs = Date.parse(hold.expiresAt);
      show(hold);
    },
    heldOn(hold) {
      const wasMs = endMs;
      endMs = Math.max(Date.parse(hold.expiresAt), wasMs);
      show(hold, endMs > wasMs ? "\n\nCaptures are paused: it does not expire meanwhile" : "");
    },
    refuse({ code, message }) {
      refusal = ApplicationFailure.nonRetryable(message, code);
      setCurrentDetails(`Refused: ${message}`);
    },
    held,
    async change(step) {
      const next = await request(step);
      // Two requests may be under way at once: the answer that comes second may carry the older state, which must not be shown.
      if (state?.status === "held" && movedMinor(next) >= movedMinor(state)) show(next);
      return next;
    },
    async moveEnd(step) {
      const next = await request(step);
      if (next.status !== "held" || state?.status !== "held") return next;
      endMs = Date.parse(next.expiresAt);
      show(movedMinor(next) >= movedMinor(state) ? next : state);
      return next;
    },
    // A validator's refusal leaves nothing in the history and takes no turn on Postgres: of a hundred requests that want one reservation,
    // ninety-nine end here.
    refuseOnceClosed() {
      const code = state === undefined ? undefined : closedReservationCode(state.status);
      if (code !== undefined) throw ApplicationFailure.nonRetryable(`the reservation is ${state?.status}`, code);
    },
  };
}

/** The reservation as the Temporal UI shows it, in Markdown. */
function detailsOf({ userId, serviceId, orderId, currency }: ReservationInput, state: ReservationState): string {
  const [amount, captured, released] = [state.amountMinor, state.capturedMinor, state.releasedMinor].map((minor) =>
    formatAmount(minor, currency),
  );
  return (
    `Reservation of **${amount} ${currency}** of user **${userId}** for service ${serviceId}, order ${orderId}\n\n` +
    `**${state.status}**: captured ${captured}, given back ${released}, until ${state.expiresAt}`
  );
}

/** How much has left the hold, in minor units: it only grows, so of two states the one with more is the newer. */
function movedMinor({ capturedMinor, releasedMinor }: ReservationState): bigint {
  return BigInt(capturedMinor) + BigInt(releasedMinor);
}
