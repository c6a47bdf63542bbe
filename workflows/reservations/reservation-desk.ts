import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  patched,
  setCurrentDetails,
  workflowInfo,
} from "@temporalio/workflow";
import { formatAmount } from "../../src/base/money.ts";
import {
  CARRIED_OVER,
  REQUESTS_PER_RUN,
  type ReservationCarried,
  type ReservationInput,
  type ReservationState,
  type ReservationWish,
} from "../../src/contract/reservations.ts";
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
  /**
   * Runs the step of a request once the money is held, and shows the state or the end that it leads to.
   * Throws: the step's failure; CARRIED_OVER when the next run goes on with the request.
   */
  request(wish: ReservationWish, step: (wish: ReservationWish) => Promise<ReservationState>): Promise<ReservationState>;
  /** True when this run is to end and a new run is to go on: at an idle moment after many requests, or when the server advises it. */
  isRunFull(): boolean;
  /** Waits a moment, answers the requests that are then under way with CARRIED_OVER, and returns what the next run has to know. */
  handOver(): Promise<Omit<ReservationCarried, "announcedEnd">>;
  /** For validators. Throws: the code of the closed state once nothing is held any more. */
  refuseOnceClosed(): void;
}

/** A busy run does not wait for its idle moment beyond this multiple of its requests. */
const MOST_RUNS_IN_ONE = 4;
/** How long a run that is full waits for the requests that are under way. */
const HAND_OVER_MS = 1_000;

/** Creates the desk of a reservation: its time begins now, or an earlier run hands it over. */
export function createReservationDesk(input: ReservationInput, carried?: ReservationCarried): ReservationDesk {
  const { requestsPerRun = REQUESTS_PER_RUN } = input;
  const firstEndMs = input.expiresAt === undefined ? Date.now() + input.ttlMs : Date.parse(input.expiresAt);
  let endMs = carried === undefined ? firstEndMs : Date.parse(carried.state.expiresAt);
  let state: ReservationState | undefined;
  let refusal: ApplicationFailure | undefined;
  let accepted = 0;
  const underWay = new Set<ReservationWish>();
  let giveUp: (failure: ApplicationFailure) => void = () => undefined;
  const handedOver = new Promise<never>((_resolve, reject) => {
    giveUp = reject;
  });
  handedOver.catch(() => undefined);

  const show = (next: ReservationState, note = "") => {
    state = { ...next, expiresAt: new Date(endMs).toISOString() };
    setCurrentDetails(detailsOf(input, state) + note);
  };
  const held = async (): Promise<ReservationState> => {
    await CancellationScope.nonCancellable(() => condition(() => state !== undefined || refusal !== undefined));
    if (refusal !== undefined) throw refusal;
    return state as ReservationState;
  };
  const outcomeOf = async (step: () => Promise<ReservationState>): Promise<ReservationState> => {
    await held();
    try {
      // Repeated until its outcome is known: the money may have moved, and a client that repeats the request joins this very update.
      return await Promise.race([CancellationScope.nonCancellable(step), handedOver]);
    } catch (error) {
      if (error instanceof ApplicationFailure && error.type === CARRIED_OVER) throw error;
      if (isCancellation(error)) throw error;
      const { code, message } = failureOf(error);
      throw ApplicationFailure.nonRetryable(message, code);
    }
  };

  const showTaken = (next: ReservationState) => {
    // Two requests may be under way at once: the answer that comes second may carry the older state, which must not be shown.
    if (state?.status === "held" && movedMinor(next) >= movedMinor(state)) show(next);
  };
  const showMoved = (next: ReservationState) => {
    if (next.status !== "held" || state?.status !== "held") return;
    endMs = Date.parse(next.expiresAt);
    show(movedMinor(next) >= movedMinor(state) ? next : state);
  };
  if (carried !== undefined) show(carried.state);

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
    async request(wish, step) {
      accepted += 1;
      underWay.add(wish);
      try {
        const next = await outcomeOf(() => step(wish));
        if (wish.kind === "confirm" || wish.kind === "release") showTaken(next);
        else showMoved(next);
        return next;
      } finally {
        underWay.delete(wish);
      }
    },
    isRunFull() {
      const isIdle = underWay.size === 0 && allHandlersFinished();
      const isFull = accepted >= requestsPerRun && (isIdle || accepted >= MOST_RUNS_IN_ONE * requestsPerRun);
      // The patch is looked at last: a run that is not full has no marker, and an earlier run that went on beyond the bounds replays.
      return (isFull || workflowInfo().continueAsNewSuggested) && state?.status === "held" && patched("reservation-continues-as-new");
    },
    async handOver() {
      // Most requests take milliseconds. New ones that come meanwhile are taken too.
      await condition(() => underWay.size === 0 && allHandlersFinished(), HAND_OVER_MS);
      const wishes = [...new Map([...underWay].map((wish) => [`${wish.kind} ${wish.input.requestKey}`, wish])).values()];
      giveUp(ApplicationFailure.nonRetryable("the reservation goes on in a new run: send the request again under its key", CARRIED_OVER));
      await condition(allHandlersFinished);
      return { state: state as ReservationState, wishes };
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
