import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from "@temporalio/workflow";
import {
  confirmReservationUpdate,
  releaseReservationUpdate,
  remainingSeconds,
  reservationPlacedUpdate,
  reservationStatusQuery,
  type ReservationInput,
  type ReservationState,
} from "../src/contract/reservations.ts";
import { formatAmount } from "../src/money.ts";
import { failureOf, withoutEnd, type Failure } from "./compensation.ts";
import { showReservationState } from "./search-attributes.ts";

/** How a reservation ended; `refused` never held any money. */
export type ReservationResult = ReservationState | { readonly reservationId: string; readonly status: "refused"; readonly code: string };

/**
 * Keeps a reservation: the money is held now, and until its time passes it can be confirmed, in parts or as a whole, or released.
 * Then the rest goes back by itself, also when nobody was there to see it. The hold's row decides every race.
 */
export async function reservation(input: ReservationInput): Promise<ReservationResult> {
  const expiresAtMs = Date.now() + input.ttlMs;
  let state: ReservationState | undefined;
  let refusal: ApplicationFailure | undefined;

  const show = (next: ReservationState) => {
    state = next;
    const [amount, captured, released] = [next.amountMinor, next.capturedMinor, next.releasedMinor].map((minor) =>
      formatAmount(BigInt(minor), input.currency),
    );
    setCurrentDetails(
      `Reservation of **${amount} ${input.currency}** of user **${input.userId}** for service ${input.serviceId}, order ${input.orderId}\n\n` +
        `**${next.status}**: captured ${captured}, given back ${released}, until ${next.expiresAt}`,
    );
    return next;
  };
  const held = async (): Promise<ReservationState> => {
    await CancellationScope.nonCancellable(() => condition(() => state !== undefined || refusal !== undefined));
    if (refusal !== undefined) throw refusal;
    return state as ReservationState;
  };
  // Two requests may be under way at once; the later answer of the two must not show an older state.
  const change = async (request: () => Promise<ReservationState>): Promise<ReservationState> => {
    await held();
    try {
      // Asked for until the answer is known: the money may have moved, and a repeat of this request joins this very update.
      const next = await CancellationScope.nonCancellable(request);
      if (state?.status === "held" && movedMinor(next) >= movedMinor(state)) show(next);
      return next;
    } catch (error) {
      if (isCancellation(error)) throw error;
      const { code, message } = failureOf(error);
      throw ApplicationFailure.nonRetryable(message, code);
    }
  };

  setHandler(reservationPlacedUpdate, held);
  setHandler(confirmReservationUpdate, (confirm) => change(() => withoutEnd((by) => by.captureHold({ reservation: input, confirm }))), {
    validator: needsRequestKey,
  });
  setHandler(releaseReservationUpdate, (release) => change(() => withoutEnd((by) => by.releaseHold({ reservation: input, release }))), {
    validator: needsRequestKey,
  });
  setHandler(reservationStatusQuery, () => {
    if (state === undefined) throw ApplicationFailure.nonRetryable("the money is not held yet", "RESERVATION_NOT_FOUND");
    return { ...state, remainingSeconds: remainingSeconds(state, Date.now()) };
  });

  let effect: "expire" | "release" = "expire";
  try {
    // Asked for until the answer is known: a hold whose answer was lost may stand, and only this workflow keeps its time.
    const expiresAt = new Date(expiresAtMs).toISOString();
    show(await CancellationScope.nonCancellable(() => withoutEnd((by) => by.placeHold({ reservation: input, expiresAt }))));
    await condition(() => state?.status !== "held", Math.max(1, expiresAtMs - Date.now()), {
      summary: "release what is not confirmed by then",
    });
  } catch (error) {
    if (!isCancellation(error) && state === undefined) return CancellationScope.nonCancellable(() => refuse(failureOf(error)));
    effect = "release";
  }
  return CancellationScope.nonCancellable(close);

  async function close(): Promise<ReservationResult> {
    const ended =
      state !== undefined && state.status !== "held" ? state : await withoutEnd((by) => by.endHold({ reservation: input, effect }));
    if (ended === undefined) return refuse({ code: "ORDER_CANCELLED", message: "the reservation was cancelled before any money was held" });
    show(ended);
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
}

/** How much has left the hold: it only grows, so of two states the one with more is the newer. */
function movedMinor({ capturedMinor, releasedMinor }: ReservationState): bigint {
  return BigInt(capturedMinor) + BigInt(releasedMinor);
}

// An update sent by hand may lack what the API always sends; refused here it leaves nothing in the history.
function needsRequestKey(request: { readonly requestKey: string; readonly amountMinor?: string } | undefined): void {
  if (request?.amountMinor !== undefined && !/^[1-9]\d{0,14}$/.test(request.amountMinor))
    throw ApplicationFailure.nonRetryable("amountMinor must be minor units as text", "INVALID_AMOUNT");
  if (typeof request?.requestKey !== "string" || request.requestKey === "")
    throw ApplicationFailure.nonRetryable("the request needs a requestKey", "INVALID_REQUEST");
}
