import { DomainError } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import { orderWorkflowId, purchaseOrderId, stepKey } from "../../contract/ids.ts";
import type { OrderSagaInput } from "../../contract/orders.ts";
import type { CheckedCard } from "../../domain/cards/card.ts";
import { UNASSIGNED_SERVICE } from "../../domain/ledger/operations.ts";
import { findOperation } from "../../store/ledger/operations.ts";
import { getOrder, type OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";
import { placeOrder, type PlaceOrderDeps } from "./place-order.ts";

/** A purchase that a card is to pay. `requestId` stands for the request: the same one again is the same purchase. */
export interface CardPurchase {
  readonly requestId: string;
  readonly userId: string;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly card: CheckedCard;
  readonly paymentMethod: string;
  /** ISO 8601. */
  readonly occurredAt: string;
  readonly comment: string;
  readonly caller: string;
  readonly correlationId: string;
}

/** How it stands. `replayed` is true when the purchase was asked for before. */
export type CardPurchaseAnswer = { readonly orderId: string; readonly replayed: boolean } & (
  | { readonly decided: false }
  | { readonly decided: true; readonly operationId: string; readonly recordedAt: Date }
);

export interface CardPurchaseDeps extends Omit<PlaceOrderDeps, "whileSold"> {
  readonly settings: { readonly orders?: Pick<OrderSagaInput, "paymentDeadlineMs" | "compensationFastRetries" | "paidBy"> };
}

/**
 * Has an order of one line see the purchase through, and waits for its end, at most `waitMs`.
 * Safe to retry: the order's id is the request's.
 * Throws: PAYMENT_DECLINED and ORDER_CANCELLED, for ever; IDEMPOTENCY_CONFLICT when the id stands for another card, sum or time;
 * PSP_UNAVAILABLE when the vault cannot be reached, INVALID_CARD when it takes no such card; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function buyByCard(deps: CardPurchaseDeps, purchase: CardPurchase, waitMs: number): Promise<CardPurchaseAnswer> {
  const { db, psp, starters, settings } = deps;
  const asked = { input: { ...toOrder(purchase), ...settings.orders }, card: purchase.card };
  const placed = await placeOrder({ db, starters, ...(psp === undefined ? {} : { psp }) }, asked, waitMs);
  const { orderId } = asked.input;
  if (!placed.decided) return { orderId, replayed: placed.replayed, decided: false };
  return { orderId, replayed: placed.replayed, decided: true, ...(await chargeOf(db, placed.order)) };
}

/** True when a purchase by card was made, or is under way, under the id. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function isBoughtByCard(db: Db, requestId: string): Promise<boolean> {
  return (await getOrder(db, purchaseOrderId(requestId))) !== undefined;
}

function toOrder(purchase: CardPurchase): Omit<OrderSagaInput, "card"> {
  const { userId, currency, card, paymentMethod, occurredAt, comment, caller, correlationId } = purchase;
  const amountMinor = purchase.amountMinor.toString();
  return {
    orderId: purchaseOrderId(purchase.requestId),
    userId,
    currency,
    lines: [{ lineNo: 1, serviceId: UNASSIGNED_SERVICE, quantity: 1, amountMinor }],
    totalMinor: amountMinor,
    paymentMethod: "card",
    comment,
    requestHash: hashOf(["purchase", userId, currency, amountMinor, paymentMethod, occurredAt, card.last4, card.brand]),
    effectiveAt: occurredAt,
    correlationId,
    caller,
  };
}

async function chargeOf(db: Db, { orderId, sagaState, failureCode, failureMessage }: OrderRecord) {
  if (sagaState !== "COMPLETED") {
    // Nothing was taken, whatever the reason, and under this key nothing will be.
    if (failureCode === "ORDER_CANCELLED") throw new DomainError("ORDER_CANCELLED", "the purchase was cancelled");
    throw new DomainError("PAYMENT_DECLINED", failureMessage ?? "the payment came to nothing");
  }
  const charge = await findOperation(db, stepKey(orderWorkflowId(orderId), "charge"));
  if (charge === undefined) throw new DomainError("INTERNAL", `the order ${orderId} is completed and has no charge`);
  return { operationId: charge.operationId, recordedAt: charge.recordedAt };
}
