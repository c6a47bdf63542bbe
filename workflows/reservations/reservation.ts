import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from "@temporalio/workflow";
import { formatAmount } from "../../src/base/money.ts";
import {
  advanceReservationClockUpdate,
  confirmReservationUpdate,
  extendReservationUpdate,
  releaseReservationUpdate,
  remainingSeconds,
  reservationPlacedUpdate,
  reservationStatusQuery,
  type AdvanceClockInput,
  type ConfirmInput,
  type ExtendInput,
  type ReleaseInput,
  type ReservationInput,
  type ReservationState,
} from "../../src/contract/reservations.ts";
import { closedReservationCode } from "../../src/domain/reservations/reservation-states.ts";
import { showReservationState } from "../search-attributes.ts";
import { withoutEnd } from "../steps/endless.ts";
import { failureOf, type Failure } from "../steps/failures.ts";
import { fieldsOf, isAdvance, isMoment, isText, unreadable } from "../untyped-input.ts";

/** How a reservation ended; `refused` never held any money. */
export type ReservationResult = ReservationState | { readonly reservationId: string; readonly status: "refused"; readonly code: string };

/**
 * Keeps a reservation: the money is held now, and until its time passes it can be confirmed, in parts or as a whole, extended, or
 * released. Then the rest goes back by itself, also when nobody was there to see it. The hold's row decides every race, also that of
 * the end: it says until when the money is held.
 */
export async function reservation(input: ReservationInput): Promise<ReservationResult> {
  let endMs = Date.now() + input.ttlMs;
  let state: ReservationState | undefined;
  let refusal: ApplicationFailure | undefined;

  const show = (next: ReservationState, note = "") => {
    state = { ...next, expiresAt: new Date(endMs).toISOString() };
    const [amount, captured, released] = [next.amountMinor, next.capturedMinor, next.releasedMinor].map((minor) =>
      formatAmount(minor, input.currency),
    );
    setCurrentDetails(
      `Reservation of **${amount} ${input.currency}** of user **${input.userId}** for service ${input.serviceId}, order ${input.orderId}\n\n` +
        `**${next.status}**: captured ${captured}, given back ${released}, until ${state.expiresAt}${note}`,
    );
  };
  const held = async (): Promise<ReservationState> => {
    await CancellationScope.nonCancellable(() => condition(() => state !== undefined || refusal !== undefined));
    if (refusal !== undefined) throw refusal;
    return state as ReservationState;
  };
  const request = async (step: () => Promise<ReservationState>): Promise<ReservationState> => {
    await held();
    try {
      // Asked for until the answer is known: the money may have moved, and a repeat of this request joins this very update.
      return await CancellationScope.nonCancellable(step);
    } catch (error) {
      if (isCancellation(error)) throw error;
      const { code, message } = failureOf(error);
      throw ApplicationFailure.nonRetryable(message, code);
    }
  };
  // Two requests may be under way at once; the later answer of the two must not show an older state.
  const change = async (step: () => Promise<ReservationState>): Promise<ReservationState> => {
    const next = await request(step);
    if (state?.status === "held" && movedMinor(next) >= movedMinor(state)) show(next);
    return next;
  };
  const moveEnd = async (step: () => Promise<ReservationState>): Promise<ReservationState> => {
    const next = await request(step);
    if (next.status !== "held" || state?.status !== "held") return next;
    endMs = Date.parse(next.expiresAt);
    show(movedMinor(next) >= movedMinor(state) ? next : state);
    return next;
  };

  setHandler(reservationPlacedUpdate, held);
  setHandler(confirmReservationUpdate, (confirm) => change(() => withoutEnd((by) => by.captureHold({ reservation: input, confirm }))), {
    validator: (confirm: ConfirmInput) => {
      needsRequestKey(confirm);
      refuseOnceClosed();
    },
  });
  setHandler(releaseReservationUpdate, (release) => change(() => withoutEnd((by) => by.releaseHold({ reservation: input, release }))), {
    validator: (release: ReleaseInput) => {
      needsRequestKey(release);
      refuseOnceClosed();
    },
  });
  setHandler(extendReservationUpdate, (extend) => moveEnd(() => withoutEnd((by) => by.extendHold({ reservation: input, extend }))), {
    validator: (extend: ExtendInput) => {
      needsRequestKey(extend);
      needsOrigin(extend);
      if (!isMoment(extend.expiresAt, Date.now())) throw unreadable("expiresAt must be a time");
      if (!isAdvance(extend.ttlMs)) throw unreadable("ttlMs must be whole milliseconds above zero");
      refuseOnceClosed();
    },
  });
  setHandler(
    advanceReservationClockUpdate,
    async (advance) => {
      await held();
      const expiresAt = new Date(endMs - advance.advanceMs).toISOString();
      return moveEnd(() => withoutEnd((by) => by.advanceHoldClock({ reservation: input, advance, expiresAt })));
    },
    {
      validator: (advance: AdvanceClockInput) => {
        needsRequestKey(advance);
        needsOrigin(advance);
        if (!isAdvance(advance.advanceMs)) throw unreadable("advanceMs must be whole milliseconds above zero");
        refuseOnceClosed();
      },
    },
  );
  setHandler(reservationStatusQuery, () => {
    if (state === undefined) throw ApplicationFailure.nonRetryable("the money is not held yet", "RESERVATION_NOT_FOUND");
    return { ...state, remainingSeconds: remainingSeconds(state, Date.now()) };
  });

  let effect: "expire" | "release" = "expire";
  try {
    // Asked for until the answer is known: a hold whose answer was lost may stand, and only this workflow keeps its time.
    const expiresAt = new Date(endMs).toISOString();
    const placed = await CancellationScope.nonCancellable(() => withoutEnd((by) => by.placeHold({ reservation: input, expiresAt })));
    // A workflow that was started again for a hold that stands takes over the end that the row has.
    endMs = Date.parse(placed.expiresAt);
    show(placed);
    await untilOver();
  } catch (error) {
    if (!isCancellation(error) && state === undefined) return CancellationScope.nonCancellable(() => refuse(failureOf(error)));
    effect = "release";
  }
  return CancellationScope.nonCancellable(close);

  /** Waits until nothing is held any more; a hold whose time has passed is given back here, unless its row says that it is held on. */
  async function untilOver(): Promise<void> {
    for (;;) {
      await untilItsEnd();
      if (state?.status !== "held") return;
      const ended = await CancellationScope.nonCancellable(() => end("expire"));
      if (ended?.status !== "held") return;
      const wasMs = endMs;
      endMs = Math.max(Date.parse(ended.expiresAt), wasMs);
      show(ended, endMs > wasMs ? "\n\nCaptures are paused: it does not expire meanwhile" : "");
    }
  }

  /** One timer at a time: for the message that the end comes, then for the end itself. An end that was moved arms it anew. */
  async function untilItsEnd(): Promise<void> {
    let toldOfMs: number | undefined;
    for (;;) {
      const armedForMs = endMs;
      const leadMs = toldOfMs === endMs || Date.now() >= endMs ? 0 : leadBeforeEnd(input);
      const woken = await condition(() => state?.status !== "held" || endMs !== armedForMs, Math.max(1, endMs - leadMs - Date.now()), {
        summary: leadMs > 0 ? "tell that it expires soon" : "release what is not confirmed by then",
      });
      if (state?.status !== "held") return;
      if (woken) continue;
      if (leadMs === 0) return;
      toldOfMs = armedForMs;
      await CancellationScope.nonCancellable(() => withoutEnd((by) => by.tellHoldExpiring(input)));
    }
  }

  async function end(how: typeof effect): Promise<ReservationState | undefined> {
    const ended = await withoutEnd((by) => by.endHold({ reservation: input, effect: how, expiresAt: new Date(endMs).toISOString() }));
    // Requests that come from here on are refused at once, without a step of their own.
    if (ended !== undefined && ended.status !== "held") show(ended);
    return ended;
  }

  async function close(): Promise<ReservationResult> {
    const ended = state !== undefined && state.status !== "held" ? state : await end(effect);
    if (ended === undefined) return refuse({ code: "ORDER_CANCELLED", message: "the reservation was cancelled before any money was held" });
    showReservationState(ended.status);
    await condition(allHandlersFinished);
    return ended;
  }

  async function refuse({ code, message }: Failure): Promise<ReservationResult> {
    refusal = ApplicationFailure.nonRetryable(message, code);
    setCurrentDetails(`Refused: ${message}`);
    showReservationState("refused");
    await condition(allHandlersFinished);
    return { reservationId: input.reservationId, status: "refused", code };
  }

  // Refused here they leave nothing in the history and take no turn on Postgres: ninety-nine of a hundred who want one reservation.
  function refuseOnceClosed(): void {
    const code = state === undefined ? undefined : closedReservationCode(state.status);
    if (code !== undefined) throw ApplicationFailure.nonRetryable(`the reservation is ${state?.status}`, code);
  }
}

/** How long before the end it is told: zero for a reservation that is not held longer than that. */
function leadBeforeEnd({ expiringMs = 0, ttlMs }: ReservationInput): number {
  return ttlMs > expiringMs ? expiringMs : 0;
}

/** How much has left the hold: it only grows, so of two states the one with more is the newer. */
function movedMinor({ capturedMinor, releasedMinor }: ReservationState): bigint {
  return BigInt(capturedMinor) + BigInt(releasedMinor);
}

// An update sent by hand may lack what the API always sends; refused here it leaves nothing in the history.
function needsRequestKey(request: unknown): void {
  const { requestKey, amountMinor } = fieldsOf(request) ?? {};
  if (!isText(requestKey)) throw unreadable("the request needs a requestKey");
  if (amountMinor !== undefined && (typeof amountMinor !== "string" || !/^[1-9]\d{0,14}$/.test(amountMinor)))
    throw ApplicationFailure.nonRetryable("amountMinor must be minor units as text", "INVALID_AMOUNT");
}

// They are kept with what the request changes.
function needsOrigin({ caller, correlationId }: ExtendInput | AdvanceClockInput): void {
  if (!isText(caller) || !isText(correlationId)) throw unreadable("the request needs a caller and a correlationId");
}
