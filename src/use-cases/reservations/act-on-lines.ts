import { codeOf } from "../../base/errors.ts";
import { sideBySide } from "../../base/side-by-side.ts";
import { lineActKey } from "../../contract/ids.ts";
import { isClosedCode } from "../../domain/reservations/reservation-states.ts";
import type { OrderLines } from "../../store/reservations/hold-lines.ts";
import type { HoldRecord } from "../../store/reservations/holds.ts";
import { confirmReservation } from "./confirm-reservation.ts";
import { findReservation } from "./find-reservation.ts";
import { pickLinesOnce } from "./pick-lines.ts";
import { LINES_AT_ONCE } from "./place-lines.ts";
import { releaseReservation } from "./release-reservation.ts";
import type { ActResult, ReservationParts, ReservationRequest } from "./reservation-request.ts";

/** What became of the lines that a request was about, by the reservations' ids: done, or what it failed with. */
export interface ActedLines {
  readonly outcomes: ReadonlyMap<string, { readonly done: true } | { readonly done: false; readonly failure: unknown }>;
  /** True when an earlier request with the same key did it all. */
  readonly replayed: boolean;
}

type Act = (request: ReservationRequest, hold: HoldRecord) => Promise<ActResult>;

/** As `actOnLines`: makes revenue of all that is held of the order. */
export function confirmLines(parts: ReservationParts, request: ReservationRequest, order: OrderLines): Promise<ActedLines> {
  return actOnLines(parts, request, order, (own, hold) => confirmReservation(parts, own, hold, undefined));
}

/** As `actOnLines`: gives back all that is held of the order. */
export function releaseLines(parts: ReservationParts, request: ReservationRequest, order: OrderLines): Promise<ActedLines> {
  return actOnLines(parts, request, order, (own, hold) => releaseReservation(parts, own, hold));
}

/**
 * Acts on every held reservation of the order, each under a key of its own. What one is refused with does not undo the others.
 * Safe to retry: the keys decide; a repeat goes on with what was not decided. Throws: as `pickLinesOnce`.
 */
async function actOnLines(parts: ReservationParts, request: ReservationRequest, order: OrderLines, act: Act): Promise<ActedLines> {
  const lines = await pickLinesOnce(parts.db, request.key, order);
  const outcomes = new Map<string, { done: true } | { done: false; failure: unknown }>();
  let replayed = true;
  await sideBySide(lines, LINES_AT_ONCE, async (hold) => {
    const own = { ...request, key: lineActKey(request.key, order.currency, hold.holdId) };
    try {
      const result = await actOrBeRefused(parts, own, hold, act);
      replayed &&= result.replayed;
      outcomes.set(hold.holdId, { done: true });
    } catch (failure) {
      replayed = false;
      outcomes.set(hold.holdId, { done: false, failure });
    }
  });
  return { outcomes, replayed };
}

// A workflow refuses what it closed a moment ago without a word to the ledger. Asked once more, the ledger keeps the refusal under the key,
// by which a repeat finds that the request was about this reservation too.
async function actOrBeRefused(parts: ReservationParts, own: ReservationRequest, hold: HoldRecord, act: Act): Promise<ActResult> {
  try {
    return await act(own, hold);
  } catch (error) {
    if (hold.status !== "held" || !isClosedCode(codeOf(error))) throw error;
    return await act(own, await findReservation(parts.db, hold.holdId));
  }
}
