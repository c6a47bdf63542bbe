import { DomainError } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import type { Starters } from "../../starters/index.ts";
import type { OrderRecord } from "../../store/orders/orders.ts";
import { getRefund, reserveRefund, type RefundRecord } from "../../store/orders/refunds.ts";
import type { Db } from "../../store/postgres/database.ts";

interface Deps {
  readonly db: Db;
  readonly starters: Pick<Starters, "startRefund">;
  readonly settings: { readonly orders?: { readonly compensationFastRetries: number } };
}

/** A wish for a refund of a completed order: of `amountMinor`, or of all that is left of its payment. */
interface RefundWish {
  readonly refundId: string;
  readonly amountMinor: bigint | undefined;
  readonly reason: string;
  readonly caller: string;
  readonly correlationId: string;
}

/** How a refund stands. `replayed` is true when it was asked for before; `decided` is false when its outcome was not known in time. */
export interface AskedRefund {
  readonly refund: RefundRecord;
  readonly replayed: boolean;
  readonly decided: boolean;
}

/**
 * Sets the amount aside in the payment's row, has a workflow see the refund through, and waits for its outcome, at most `waitMs`.
 * Safe to retry: the refund's id decides.
 * Throws: ORDER_STATE_CONFLICT, REFUND_EXCEEDS_PAYMENT, INVALID_AMOUNT, IDEMPOTENCY_CONFLICT, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function refundOrder(deps: Deps, order: OrderRecord, wish: RefundWish, waitMs: number): Promise<AskedRefund> {
  const { db, starters, settings } = deps;
  const { orderId, userId, currency } = order;
  const requestHash = hashOf([orderId, wish.amountMinor?.toString() ?? null]);
  const reserved = await reserveRefund(db, { ...wish, orderId, requestHash });
  const replayed = reserved.known;
  // Not a part of the hash, as the refunds of earlier releases were kept without it.
  if (replayed && reserved.reason !== wish.reason)
    throw new DomainError("IDEMPOTENCY_CONFLICT", "the same key was used before for a refund with another reason");
  if (reserved.status !== "pending") return { refund: reserved, replayed, decided: true };
  const started = await starters.startRefund({
    refundId: wish.refundId,
    orderId,
    userId,
    currency,
    amountMinor: reserved.amountMinor.toString(),
    lines: reserved.lines,
    paymentMethod: order.paymentMethod === "card" ? "card" : "wallet",
    reason: reserved.reason,
    caller: reserved.caller,
    correlationId: reserved.correlationId,
    ...(settings.orders === undefined ? {} : { fastRetries: settings.orders.compensationFastRetries }),
  });
  const outcome = waitMs === 0 ? undefined : await started.outcome(waitMs);
  const refund = await getRefund(db, wish.refundId);
  if (refund === undefined) throw new DomainError("UNAVAILABLE");
  return { refund, replayed, decided: outcome !== undefined };
}
