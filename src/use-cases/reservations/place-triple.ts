import { randomUUID } from "node:crypto";
import { DomainError } from "../../base/errors.ts";
import { hashOf, uuidOf } from "../../base/hash.ts";
import { formatAmount } from "../../base/money.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import type { Starters } from "../../starters/index.ts";
import type { BalanceReader } from "../../store/ledger/balance-reader.ts";
import type { Db } from "../../store/postgres/database.ts";
import { newestHoldingOf, type HoldTriple } from "../../store/reservations/hold-matches.ts";
import { placeReservation } from "./place-reservation.ts";
import type { ActResult } from "./reservation-request.ts";
import { reserveAmong, tripleHoldsOf } from "./triple-holds.ts";

/** A triple and the exact amount that is meant. */
export interface TripleWish extends HoldTriple {
  readonly amountMinor: bigint;
}

interface Deps {
  readonly db: Db;
  readonly starters: Pick<Starters, "placeReservation">;
  readonly balances: BalanceReader;
  readonly settings: {
    readonly defaultCurrency: string;
    readonly reservationTtl: { readonly defaultMs: number; readonly expiringMs: number };
  };
}

/** Who asks. `reservationId` is made of the request's Idempotency-Key, where it has one. */
interface Asked {
  readonly reservationId: string | undefined;
  readonly caller: string;
  readonly correlationId: string;
}

/** As often as others may come first with the same triple and be refused before it is said that this cannot be told. */
const ATTEMPTS = 5;

/**
 * Holds the money by a `reservation` workflow. With an Idempotency-Key the key is the identity, and a triple may have several.
 * Without one a second reserve of a triple that is held or was bought is refused; of several that come at once one is taken.
 * Throws: INSUFFICIENT_FUNDS in the earlier service's words, CONFLICT, ALREADY_CONFIRMED, IDEMPOTENCY_CONFLICT, AMBIGUOUS, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function placeTriple(deps: Deps, wish: TripleWish, asked: Asked): Promise<ActResult> {
  const { userId, serviceId, orderId, amountMinor } = wish;
  const triple = [userId, serviceId, orderId];
  if (asked.reservationId !== undefined) {
    const requestHash = hashOf([...triple, amountMinor.toString()]);
    const { reservationId } = asked;
    const placed = await place(deps, wish, { ...asked, reservationId, requestHash });
    if (placed === undefined) throw new DomainError("IDEMPOTENCY_CONFLICT");
    return placed;
  }
  const requestHash = hashOf([...triple, amountMinor.toString(), randomUUID()]);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    // Read before the holds: whoever held the money since is seen among them, or has the same reservation's id.
    const newest = await newestHoldingOf(deps.db, wish);
    const standing = reserveAmong(await tripleHoldsOf(deps.db, wish, deps.settings.defaultCurrency));
    if (standing !== undefined)
      throw standing.purchased
        ? new DomainError("ALREADY_CONFIRMED")
        : new DomainError("CONFLICT", "money were already reserved for order");
    const reservationId = uuidOf(`legacy/reserve:${JSON.stringify([...triple, newest ?? ""])}`);
    const placed = await place(deps, wish, { ...asked, reservationId, requestHash });
    if (placed !== undefined) return placed;
  }
  throw new DomainError("UNAVAILABLE", "others reserve for the same order without end");
}

/** Has this very request hold the money; undefined when another request was decided under the id. Throws: the code it was refused with. */
async function place(
  deps: Deps,
  { userId, serviceId, orderId, amountMinor }: TripleWish,
  request: { readonly reservationId: string; readonly requestHash: string; readonly caller: string; readonly correlationId: string },
): Promise<ActResult | undefined> {
  const { defaultCurrency: currency, reservationTtl } = deps.settings;
  const { reservationId, requestHash, caller, correlationId } = request;
  const input: ReservationInput = {
    reservationId,
    userId,
    serviceId,
    orderId,
    currency,
    amountMinor: amountMinor.toString(),
    ttlMs: reservationTtl.defaultMs,
    expiringMs: reservationTtl.expiringMs,
    comment: "reserve over the legacy interface",
    requestHash,
    caller,
    correlationId,
  };
  const { decision, replayed } = await placeReservation(deps, input);
  if (decision.outcome === "conflict") return undefined;
  if (decision.outcome === "done") return { replayed };
  throw decision.code === "INSUFFICIENT_FUNDS" ? await notEnough(deps, userId, amountMinor) : new DomainError(decision.code);
}

async function notEnough({ balances, settings }: Deps, userId: string, amountMinor: bigint): Promise<DomainError> {
  const currency = settings.defaultCurrency;
  const found = (await balances.read(userId)).balances.find((one) => one.currency === currency);
  const [needed, has] = [amountMinor, found?.availableMinor ?? 0n].map((minor) => formatAmount(minor, currency));
  return new DomainError("INSUFFICIENT_FUNDS", `doesn't have enough money, needed: ${needed}, user has: ${has}`);
}
