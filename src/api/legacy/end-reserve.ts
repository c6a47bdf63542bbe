import { DomainError } from "../../base/errors.ts";
import type { ActResult, ReservationActs, ReservationRequest } from "../../use-cases/reservations/reservation-acts.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { markReplayed } from "../http/idempotency.ts";
import { originOf } from "../http/request-origin.ts";
import { legacyHoldsOf, openReserveAmong, type LegacyHold } from "./matches.ts";
import type { Wish } from "./place-reserve.ts";
import { legacyRequestKey } from "./request-key.ts";

/** What the client's Idempotency-Keys are scoped by. */
export const PURCHASE_KEYS = "legacy/purchase";
export const RELEASE_KEYS = "legacy/release";

export interface EndDeps extends Pick<ApiDeps, "db" | "settings"> {
  readonly acts: ReservationActs;
}

/**
 * Makes revenue of the money held for exactly this user, service, order and amount, also a moment after its time has passed.
 * Throws: RESERVATION_NOT_FOUND, ALREADY_CONFIRMED, RESERVATION_EXPIRED, AMOUNT_EXCEEDS_HOLD, AMBIGUOUS, IDEMPOTENCY_CONFLICT, PAUSED,
 * UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function purchaseReserve(context: ApiContext, { db, acts, settings }: EndDeps, wish: Wish): Promise<void> {
  const { amountMinor } = wish;
  const { request, isRepeatable } = requestOf(context, PURCHASE_KEYS);
  const holds = await legacyHoldsOf(db, wish, settings.defaultCurrency);
  const justExpired = holds[0]?.status === "expired" && holds.every(({ status, paidMinor }) => status !== "held" && paidMinor === 0n);
  if (justExpired && holds[0]?.releasedMinor !== amountMinor) throw new DomainError("RESERVATION_EXPIRED");
  const hold = justExpired ? holds[0] : heldOrKnown(holds, amountMinor, isRepeatable);
  if (hold === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
  mark(context, await acts.confirm(request, hold, amountMinor));
}

/**
 * Gives back the money held for exactly this user, service, order and amount: what is held, never what the request says.
 * Throws: RESERVATION_NOT_FOUND, ALREADY_CONFIRMED, AMOUNT_EXCEEDS_HOLD, AMBIGUOUS, IDEMPOTENCY_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function releaseReserve(context: ApiContext, { db, acts, settings }: EndDeps, wish: Wish): Promise<void> {
  const { request, isRepeatable } = requestOf(context, RELEASE_KEYS);
  const hold = heldOrKnown(await legacyHoldsOf(db, wish, settings.defaultCurrency), wish.amountMinor, isRepeatable);
  mark(context, await acts.release(request, hold));
}

// A repeat whose first answer was lost before it was kept finds the hold closed, by itself: its key tells that.
function heldOrKnown(holds: readonly LegacyHold[], amountMinor: bigint, isRepeatable: boolean): LegacyHold {
  const [newest] = holds;
  const isClosed = newest !== undefined && holds.every(({ status }) => status !== "held");
  return isClosed && isRepeatable && newest.amountMinor === amountMinor ? newest : openReserveAmong(holds, amountMinor);
}

function requestOf(context: ApiContext, scope: string): { readonly request: ReservationRequest; readonly isRepeatable: boolean } {
  const { key, isRepeatable } = legacyRequestKey(context, scope);
  return { request: { key, ...originOf(context) }, isRepeatable };
}

function mark(context: ApiContext, { replayed }: ActResult): void {
  if (replayed) markReplayed(context);
}
