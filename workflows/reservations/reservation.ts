import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  log,
  setHandler,
} from "@temporalio/workflow";
import { messageOf } from "../../src/base/errors.ts";
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
  type ReservationCarried,
  type ReservationInput,
  type ReservationState,
  type ReservationWish,
} from "../../src/contract/reservations.ts";
import { showReservationState, showStuck } from "../search-attributes.ts";
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
 *
 * After many requests a new run goes on with what this run hands over. It goes on with the requests that are under way too: their clients
 * send them again, and the request's key lets each happen once.
 */
export async function reservation(input: ReservationInput, carried?: ReservationCarried): Promise<ReservationResult> {
  const desk = createReservationDesk(input, carried);
  takeRequests(input, desk);
  let end: End = "expire";
  let news: ReservationCarried | undefined;
  try {
    if (carried === undefined) await place(input, desk);
    else goOnWith(carried.wishes, input, desk);
    news = await untilOver(input, desk, carried?.announcedEnd);
  } catch (error) {
    if (!isCancellation(error) && desk.state() === undefined)
      return CancellationScope.nonCancellable(() => refuse(input, desk, failureOf(error)));
    end = "release";
  }
  if (news !== undefined) return continueAsNew<typeof reservation>(input, news);
  return CancellationScope.nonCancellable(() => close(input, desk, end));
}

// Repeated until the outcome is known: a hold whose answer was lost may stand, and only this workflow keeps its time.
async function place(input: ReservationInput, desk: ReservationDesk): Promise<void> {
  const expiresAt = new Date(desk.endMs()).toISOString();
  desk.placed(await CancellationScope.nonCancellable(() => withoutEnd((by) => by.placeHold({ reservation: input, expiresAt }))));
}

/** Goes on with the requests that the earlier run had accepted: who waits for an answer sends the request again. */
function goOnWith(wishes: readonly ReservationWish[], input: ReservationInput, desk: ReservationDesk): void {
  if (wishes.length === 0) return;
  // Shown again by whichever of them is stuck in this run too.
  showStuck(false);
  for (const wish of wishes)
    desk.request(wish, stepOf(input, desk)).catch((error: unknown) => {
      log.info("a request of the earlier run was refused", { kind: wish.kind, reason: messageOf(error) });
    });
}

/** The step of each request. */
function stepOf(input: ReservationInput, desk: ReservationDesk): (wish: ReservationWish) => Promise<ReservationState> {
  const hold = { reservation: input };
  return (wish) => {
    switch (wish.kind) {
      case "confirm":
        return withoutEnd((by) => by.captureHold({ ...hold, confirm: wish.input, heldUntil: new Date(desk.endMs()).toISOString() }));
      case "release":
        return withoutEnd((by) => by.releaseHold({ ...hold, release: wish.input }));
      case "extend":
        return withoutEnd((by) => by.extendHold({ ...hold, extend: wish.input }));
      case "advanceClock": {
        const expiresAt = new Date(desk.endMs() - wish.input.advanceMs).toISOString();
        return withoutEnd((by) => by.advanceHoldClock({ ...hold, advance: wish.input, expiresAt }));
      }
    }
  };
}

/** Registers the updates and the query of a reservation. */
function takeRequests(given: ReservationInput, desk: ReservationDesk): void {
  const { held, request, refuseOnceClosed } = desk;
  const step = stepOf(given, desk);
  setHandler(reservationPlacedUpdate, held);
  setHandler(confirmReservationUpdate, (input) => request({ kind: "confirm", input }, step), {
    validator: (confirm: ConfirmInput) => {
      needsRequestKey(confirm);
      refuseOnceClosed();
    },
  });
  setHandler(releaseReservationUpdate, (input) => request({ kind: "release", input }, step), {
    validator: (release: ReleaseInput) => {
      needsRequestKey(release);
      refuseOnceClosed();
    },
  });
  setHandler(extendReservationUpdate, (input) => request({ kind: "extend", input }, step), {
    validator: (extend: ExtendInput) => {
      needsRequestKey(extend);
      needsOrigin(extend);
      if (!isMoment(extend.expiresAt, Date.now())) throw unreadable("expiresAt must be a time");
      if (!isAdvance(extend.ttlMs)) throw unreadable("ttlMs must be whole milliseconds above zero");
      refuseOnceClosed();
    },
  });
  setHandler(advanceReservationClockUpdate, (input) => request({ kind: "advanceClock", input }, step), {
    validator: (advance: AdvanceClockInput) => {
      needsRequestKey(advance);
      needsOrigin(advance);
      if (!isAdvance(advance.advanceMs)) throw unreadable("advanceMs must be whole milliseconds above zero");
      refuseOnceClosed();
    },
  });
  setHandler(reservationStatusQuery, () => {
    const state = desk.state();
    if (state === undefined) throw ApplicationFailure.nonRetryable("the money is not held yet", "RESERVATION_NOT_FOUND");
    return { ...state, remainingSeconds: remainingSeconds(state, Date.now()) };
  });
}

/**
 * Waits until nothing is held any more; undefined then. A hold whose end has come is given back here, unless its row keeps it. When the run
 * is full first, it returns what the next run has to know.
 */
async function untilOver(
  input: ReservationInput,
  desk: ReservationDesk,
  announcedEnd: string | undefined,
): Promise<ReservationCarried | undefined> {
  let announcedEndMs = announcedEnd === undefined ? undefined : Date.parse(announcedEnd);
  for (;;) {
    const { isFull, ...told } = await untilItsEnd(input, desk, announcedEndMs);
    ({ announcedEndMs } = told);
    if (desk.state()?.status !== "held") return undefined;
    if (isFull) {
      const handed = await desk.handOver();
      return announcedEndMs === undefined ? handed : { ...handed, announcedEnd: new Date(announcedEndMs).toISOString() };
    }
    const ended = await CancellationScope.nonCancellable(() => endHold(input, desk, "expire"));
    if (ended?.status !== "held") return undefined;
    desk.heldOn(ended);
  }
}

/**
 * Waits for the hold's end by one timer at a time: until the end is announced, then until the end itself. A moved end arms it anew.
 * Returns whether the wait ended because the run is full, and which end was announced.
 */
async function untilItsEnd(
  input: ReservationInput,
  desk: ReservationDesk,
  toldEndMs: number | undefined,
): Promise<{ readonly isFull: boolean; readonly announcedEndMs: number | undefined }> {
  let announcedEndMs = toldEndMs;
  for (;;) {
    const endMs = desk.endMs();
    const leadMs = announcedEndMs === endMs || Date.now() >= endMs ? 0 : leadBeforeEnd(input);
    let isFull = false;
    const woken = await condition(
      () => desk.state()?.status !== "held" || desk.endMs() !== endMs || (isFull = desk.isRunFull()),
      Math.max(1, endMs - leadMs - Date.now()),
      { summary: leadMs > 0 ? "tell that it expires soon" : "release what is not confirmed by then" },
    );
    if (isFull || desk.state()?.status !== "held") return { isFull, announcedEndMs };
    if (woken) continue;
    if (leadMs === 0) return { isFull, announcedEndMs };
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
  const { requestKey, amountMinor, caller, correlationId } = fieldsOf(request) ?? {};
  if (!isText(requestKey)) throw unreadable("the request needs a requestKey");
  for (const origin of [caller, correlationId])
    if (origin !== undefined && !isText(origin)) throw unreadable("caller and correlationId must be text");
  if (amountMinor !== undefined && (typeof amountMinor !== "string" || !/^[1-9]\d{0,14}$/.test(amountMinor)))
    throw ApplicationFailure.nonRetryable("amountMinor must be minor units as text", "INVALID_AMOUNT");
}

// The caller and the correlation id are stored with the moved end.
function needsOrigin({ caller, correlationId }: ExtendInput | AdvanceClockInput): void {
  if (!isText(caller) || !isText(correlationId)) throw unreadable("the request needs a caller and a correlationId");
}
