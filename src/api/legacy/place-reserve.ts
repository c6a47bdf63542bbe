import { randomUUID } from "node:crypto";
import { DomainError } from "../../base/errors.ts";
import { hashOf, uuidOf } from "../../base/hash.ts";
import { formatAmount } from "../../base/money.ts";
import type { ReservationInput } from "../../contract/reservations.ts";
import { contentHash } from "../../domain/ledger/operations.ts";
import { findOperation } from "../../store/ledger/operations.ts";
import { newestHoldingOf, type HoldTriple } from "../../store/reservations/hold-matches.ts";
import { holdOfReservation } from "../../use-cases/reservations/reservation-hold.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { readIdempotencyKey } from "../http/idempotency.ts";
import { originOf } from "../http/request-origin.ts";
import { legacyHoldsOf, reserveAmong } from "./matches.ts";

export type ReserveDeps = Pick<ApiDeps, "db" | "starters" | "balances" | "settings">;

export interface Wish extends HoldTriple {
  readonly amountMinor: bigint;
}

/** What the client's Idempotency-Keys are scoped by. */
export const RESERVE_KEYS = "legacy/reserve";

/** As often as others may come first with the same triple and be refused before it is said that this cannot be told. */
const ATTEMPTS = 5;

/**
 * Holds the money by a `reservation` workflow. With an Idempotency-Key the key is the identity, and a triple may have several.
 * Without one a second reserve of a triple that is held or was bought is refused; of several that come at once one is taken.
 * Throws: INSUFFICIENT_FUNDS in the earlier service's words, CONFLICT, ALREADY_CONFIRMED, IDEMPOTENCY_CONFLICT, AMBIGUOUS, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function placeReserve(context: ApiContext, deps: ReserveDeps, wish: Wish): Promise<void> {
  const { userId, serviceId, orderId, amountMinor } = wish;
  const triple = [userId, serviceId, orderId];
  if (context.req.header("idempotency-key") !== undefined) {
    const { id } = readIdempotencyKey(context, RESERVE_KEYS);
    const requestHash = hashOf([...triple, amountMinor.toString()]);
    if (!(await place(context, deps, wish, { reservationId: id, requestHash }))) throw new DomainError("IDEMPOTENCY_CONFLICT");
    return;
  }
  const requestHash = hashOf([...triple, amountMinor.toString(), randomUUID()]);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    // Read before the holds: whoever held the money since is seen among them, or has the same reservation's id.
    const newest = await newestHoldingOf(deps.db, wish);
    const standing = reserveAmong(await legacyHoldsOf(deps.db, wish, deps.settings.defaultCurrency));
    if (standing !== undefined)
      throw standing.purchased
        ? new DomainError("ALREADY_CONFIRMED")
        : new DomainError("CONFLICT", "money were already reserved for order");
    const reservationId = uuidOf(`legacy/reserve:${JSON.stringify([...triple, newest ?? ""])}`);
    if (await place(context, deps, wish, { reservationId, requestHash })) return;
  }
  throw new DomainError("UNAVAILABLE", "others reserve for the same order without end");
}

/** True when this very request holds the money; false when another one was decided under the id. Throws: the code it was refused with. */
async function place(
  context: ApiContext,
  deps: ReserveDeps,
  { userId, serviceId, orderId, amountMinor }: Wish,
  { reservationId, requestHash }: { readonly reservationId: string; readonly requestHash: string },
): Promise<boolean> {
  const { db, starters, settings } = deps;
  const input: ReservationInput = {
    reservationId,
    userId,
    serviceId,
    orderId,
    currency: settings.defaultCurrency,
    amountMinor: amountMinor.toString(),
    ttlMs: settings.reservationTtl.defaultMs,
    expiringMs: settings.reservationTtl.expiringMs,
    comment: "reserve over the legacy interface",
    requestHash,
    ...originOf(context),
  };
  const operation = holdOfReservation(input);
  // The workflow may be another request's, and its answer may be lost: what the ledger decided under the key tells.
  let failure: unknown;
  await starters.placeReservation(input).catch((error: unknown) => {
    failure = error;
  });
  const decided = await findOperation(db, operation.key);
  if (decided === undefined) throw failure ?? new DomainError("UNAVAILABLE");
  if (decided.contentHash !== contentHash(operation)) return false;
  if (decided.refusalCode === "INSUFFICIENT_FUNDS") throw await notEnough(deps, userId, amountMinor);
  if (decided.refusalCode !== undefined) throw new DomainError(decided.refusalCode);
  return true;
}

async function notEnough({ balances, settings }: ReserveDeps, userId: string, amountMinor: bigint): Promise<DomainError> {
  const currency = settings.defaultCurrency;
  const found = (await balances.read(userId)).balances.find((one) => one.currency === currency);
  const [needed, has] = [amountMinor, found?.availableMinor ?? 0n].map((minor) => formatAmount(minor, currency));
  return new DomainError("INSUFFICIENT_FUNDS", `doesn't have enough money, needed: ${needed}, user has: ${has}`);
}
