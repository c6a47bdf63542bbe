import { allHandlersFinished, ApplicationFailure, CancellationScope, condition, isCancellation, setHandler } from "@temporalio/workflow";
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
import { showReservationState } from "../search-attributes.ts";
import { withoutEnd } from "../steps/endless.ts";
import { failureOf, type Failure } from "../steps/failures.ts";
import { fieldsOf, isAdvance, isMoment, isText, unreadable } from "../untyped-input.ts";
import { createReservationDesk, type ReservationDesk } from "./reservation-desk.ts";

/** How a reservation ended; a `refused` reservation never held any money. */
export type ReservationResult = ReservationState | { readonly reservationId: string; readonly status: "refused"; readonly code: string };

/** How an open hold is ended: its time has passed, or the workflow was cancelled. */
type End = "expire" | "release";

/**
 * Keeps a reservation: the money is held now, and until the reservation's end it can be confirmed, in parts or as a whole, extended, or
 * released. At the end the rest goes back by itself, also when no client is there to see it. The hold's row decides every race, also the
 * race with the end: the row says until when the money is held.
 */
export async function reservation(input: ReservationInput): Promise<ReservationResult> {
  const desk = createReservationDesk(input);
  takeRequests(input, desk);
  let end: End = "expire";
  try {
    // Repeated until the outcome is known: a hold whose answer was lost may stand, and only this workflow keeps its time.
    const expiresAt = new Date(desk.endMs()).toISOString();
    desk.placed(await CancellationScope.nonCancellable(() => withoutEnd((by) => by.placeHold({ reservation: input, expiresAt }))));
    await untilOver(input, desk);
  } catch (error) {
    if (!isCancellation(error) && desk.state() === undefined)
      return CancellationScope.nonCancellable(() => refuse(input, desk, failureOf(error)));
    end = "release";
  }
  return CancellationScope.nonCancellable(() => close(input, desk, end));
}

/** Registers the updates and the query of a reservation. */
function takeRequests(input: ReservationInput, desk: ReservationDesk): void {
  const { held, change, moveEnd, refuseOnceClosed } = desk;
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
      const expiresAt = new Date(desk.endMs() - advance.advanceMs).toISOString();
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
    const state = desk.state();
    if (state === undefined) throw ApplicationFailure.nonRetryable("the money is not held yet", "RESERVATION_NOT_FOUND");
    return { ...state, remainingSeconds: remainingSeconds(state, Date.now()) };
  });
}

/** Waits until nothing is held any more. A hold whose end has come is given back here, unless its row keeps it. */
async function untilOver(input: ReservationInput, desk: ReservationDesk): Promise<void> {
  for (;;) {
    await untilItsEnd(input, desk);
    if (desk.state()?.status !== "held") return;
    const ended = await CancellationScope.nonCancellable(() => endHold(input, desk, "expire"));
    if (ended?.status !== "held") return;
    desk.heldOn(ended);
  }
}

/** Waits for the hold's end by one timer at a time: until the end is announced, then until the end itself. A moved end arms it anew. */
async function untilItsEnd(input: ReservationInput, desk: ReservationDesk): Promise<void> {
  let announcedEndMs: number | undefined;
  for (;;) {
    const endMs = desk.endMs();
    const leadMs = announcedEndMs === endMs || Date.now() >= endMs ? 0 : leadBeforeEnd(input);
    const woken = await condition(
      () => desk.state()?.status !== "held" || desk.endMs() !== endMs,
      Math.max(1, endMs - leadMs - Date.now()),
      { summary: leadMs > 0 ? "tell that it expires soon" : "release what is not confirmed by then" },
    );
    if (desk.state()?.status !== "held") return;
    if (woken) continue;
    if (leadMs === 0) return;
    announcedEndMs = endMs;
    await CancellationScope.nonCancellable(() => withoutEnd((by) => by.tellHoldExpiring(input)));
  }
}

async function endHold(input: ReservationInput, desk: ReservationDesk, effect: End): Promise<ReservationState | undefined> {
  // The end is read at each try: an extension may move it while the store is away.
  const ended = await withoutEnd((by) => by.endHold({ reservation: input, effect, expiresAt: new Date(desk.endMs()).toISOString() }));
  // Shown before the workflow closes: requests that come meanwhile are refused by their validators.
  if (ended !== undefined && ended.status !== "held") desk.show(ended);
  return ended;
}

async function close(input: ReservationInput, desk: ReservationDesk, end: End): Promise<ReservationResult> {
  const state = desk.state();
  const ended = state !== undefined && state.status !== "held" ? state : await endHold(input, desk, end);
  if (ended === undefined)
    return refuse(input, desk, { code: "ORDER_CANCELLED", message: "the reservation was cancelled before any money was held" });
  showReservationState(ended.status);
  await condition(allHandlersFinished);
  return ended;
}

async function refuse({ reservationId }: ReservationInput, desk: ReservationDesk, failure: Failure): Promise<ReservationResult> {
  desk.refuse(failure);
  showReservationState("refused");
  await condition(allHandlersFinished);
  return { reservationId, status: "refused", code: failure.code };
}

/** How long before the end it is announced, ms: zero for a reservation that is not held longer than that. */
function leadBeforeEnd({ expiringMs = 0, ttlMs }: ReservationInput): number {
  return ttlMs > expiringMs ? expiringMs : 0;
}

// An update sent by hand may lack fields that the API always sends. A validator's refusal leaves nothing in the history.
function needsRequestKey(request: unknown): void {
  const { requestKey, amountMinor } = fieldsOf(request) ?? {};
  if (!isText(requestKey)) throw unreadable("the request needs a requestKey");
  if (amountMinor !== undefined && (typeof amountMinor !== "string" || !/^[1-9]\d{0,14}$/.test(amountMinor)))
    throw ApplicationFailure.nonRetryable("amountMinor must be minor units as text", "INVALID_AMOUNT");
}

// The caller and the correlation id are stored with the moved end.
function needsOrigin({ caller, correlationId }: ExtendInput | AdvanceClockInput): void {
  if (!isText(caller) || !isText(correlationId)) throw unreadable("the request needs a caller and a correlationId");
}
