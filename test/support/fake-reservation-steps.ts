import type { Activities } from "../../activities/index.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { ReservationState } from "../../src/contract/reservations.ts";
import { closedReservationCode } from "../../src/domain/reservations/reservation-states.ts";
import { refusal, type BookAccess, type Page } from "./fake-page.ts";

/** How far a pause moves the end of a hold on, each time that the end is reached. */
const PAUSE_STEP_MS = 60_000;

/** The steps of a reservation over its page: the row of its hold, and the money that it holds. */
export function createReservationSteps({ pageOf, call, once }: BookAccess) {
  const stateOf = (reservationId: string, currency: string): ReservationState => {
    const { hold } = pageOf(reservationId);
    if (hold === undefined) throw refusal("RESERVATION_NOT_FOUND");
    const { status, amountMinor, capturedMinor, releasedMinor, expiresAt } = hold;
    return {
      reservationId,
      status,
      currency,
      amountMinor: amountMinor.toString(),
      capturedMinor: capturedMinor.toString(),
      releasedMinor: releasedMinor.toString(),
      expiresAt,
    };
  };
  const giveBack = (page: Page, status: "released" | "expired"): ErrorCode | undefined => {
    const { hold } = page;
    if (hold === undefined) return "RESERVATION_NOT_FOUND";
    if (hold.status !== "held") return closedReservationCode(hold.status);
    const restMinor = hold.amountMinor - hold.capturedMinor - hold.releasedMinor;
    page.heldMinor -= restMinor;
    page.availableMinor += restMinor;
    page.hold = { ...hold, status, releasedMinor: hold.releasedMinor + restMinor };
    return undefined;
  };
  const moveEnd = (page: Page, endMs: number): ErrorCode | undefined => {
    if (page.hold === undefined) return "RESERVATION_NOT_FOUND";
    if (page.hold.status !== "held") return closedReservationCode(page.hold.status);
    page.hold = { ...page.hold, expiresAt: new Date(endMs).toISOString() };
    return undefined;
  };
  const capture = (page: Page, wantedMinor: bigint | undefined): ErrorCode | undefined => {
    const { hold } = page;
    if (hold === undefined) return "RESERVATION_NOT_FOUND";
    if (hold.status !== "held") return closedReservationCode(hold.status);
    const restMinor = hold.amountMinor - hold.capturedMinor - hold.releasedMinor;
    const amountMinor = wantedMinor ?? restMinor;
    if (amountMinor > restMinor) return "AMOUNT_EXCEEDS_HOLD";
    page.captures += 1;
    page.heldMinor -= amountMinor;
    page.revenueMinor += amountMinor;
    page.hold = { ...hold, status: amountMinor === restMinor ? "confirmed" : "held", capturedMinor: hold.capturedMinor + amountMinor };
    return undefined;
  };
  return {
    placeHold: ({ reservation: { reservationId, amountMinor, currency }, expiresAt }) =>
      call(pageOf(reservationId), "placeHold", () => {
        const page = pageOf(reservationId);
        once(page, "hold", "placeHold", () => {
          const minor = BigInt(amountMinor);
          if (page.availableMinor < minor) return "INSUFFICIENT_FUNDS";
          page.availableMinor -= minor;
          page.heldMinor += minor;
          page.hold = { status: "held", amountMinor: minor, capturedMinor: 0n, releasedMinor: 0n, expiresAt };
          return undefined;
        });
        return stateOf(reservationId, currency);
      }),
    captureHold: ({ reservation: { reservationId, currency }, confirm: { requestKey, amountMinor } }) =>
      call(pageOf(reservationId), "captureHold", () => {
        const page = pageOf(reservationId);
        once(page, requestKey, "captureHold", () => capture(page, amountMinor === undefined ? undefined : BigInt(amountMinor)));
        return stateOf(reservationId, currency);
      }),
    releaseHold: ({ reservation: { reservationId, currency }, release: { requestKey } }) =>
      call(pageOf(reservationId), "releaseHold", () => {
        const page = pageOf(reservationId);
        once(page, requestKey, "releaseHold", () => giveBack(page, "released"));
        return stateOf(reservationId, currency);
      }),
    endHold: ({ reservation: { reservationId, currency }, effect, expiresAt }) =>
      call(pageOf(reservationId), "endHold", () => {
        const page = pageOf(reservationId);
        if (page.hold === undefined) return undefined;
        const isDue = effect === "release" || Date.parse(page.hold.expiresAt) <= Date.parse(expiresAt);
        if (page.hold.status === "held" && isDue && effect === "expire" && page.paused) {
          page.hold = { ...page.hold, expiresAt: new Date(Date.parse(page.hold.expiresAt) + PAUSE_STEP_MS).toISOString() };
        } else if (page.hold.status === "held" && isDue) {
          giveBack(page, effect === "expire" ? "expired" : "released");
          page.effects.push(effect);
        }
        return stateOf(reservationId, currency);
      }),
    extendHold: ({ reservation: { reservationId, currency }, extend: { requestKey, expiresAt } }) =>
      call(pageOf(reservationId), "extendHold", () => {
        const page = pageOf(reservationId);
        once(page, requestKey, "extendHold", () => moveEnd(page, Math.max(Date.parse(expiresAt), Date.parse(page.hold?.expiresAt ?? ""))));
        return stateOf(reservationId, currency);
      }),
    advanceHoldClock: ({ reservation: { reservationId, currency }, advance: { requestKey }, expiresAt }) =>
      call(pageOf(reservationId), "advanceHoldClock", () => {
        const page = pageOf(reservationId);
        once(page, requestKey, "advanceHoldClock", () => moveEnd(page, Date.parse(expiresAt)));
        return stateOf(reservationId, currency);
      }),
    tellHoldExpiring: ({ reservationId }) =>
      call(pageOf(reservationId), "tellHoldExpiring", () => {
        const page = pageOf(reservationId);
        if (page.hold?.status === "held") page.effects.push(`expiring ${page.hold.expiresAt}`);
      }),
  } satisfies Pick<
    Activities,
    "placeHold" | "captureHold" | "releaseHold" | "endHold" | "extendHold" | "advanceHoldClock" | "tellHoldExpiring"
  >;
}
