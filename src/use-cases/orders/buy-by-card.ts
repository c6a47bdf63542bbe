import type { Psp } from "../../adapters/psp/psp.ts";
import { DomainError } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import { orderWorkflowId, purchaseOrderId, stepKey } from "../../contract/ids.ts";
import type { OrderSagaInput } from "../../contract/orders.ts";
import type { CheckedCard } from "../../domain/cards/card.ts";
import { UNASSIGNED_SERVICE } from "../../domain/ledger/operations.ts";
import type { Starters } from "../../starters/index.ts";
import { findOperation } from "../../store/ledger/operations.ts";
import { getOrder, type OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";
import { isClosed } from "./closed.ts";
import { keepCard } from "./keep-card.ts";

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

/** How it stands. `known` is true when the purchase was asked for before. */
export type CardPurchaseAnswer = { readonly orderId: string; readonly known: boolean } & (
  | { readonly decided: false }
  | { readonly decided: true; readonly operationId: string; readonly recordedAt: Date }
);

interface Deps {
  readonly db: Db;
  /** Without one every card is answered with PSP_UNAVAILABLE. */
  readonly psp?: Psp;
  readonly starters: Pick<Starters, "startOrder" | "orderRequestHash">;
  readonly settings: { readonly orders?: Pick<OrderSagaInput, "paymentDeadlineMs" | "compensationFastRetries" | "paidBy"> };
}

/**
 * Has an order see the purchase through, and waits for its end: whatever dies meanwhile, what the provider has taken is booked or given
 * back. The card goes to the provider's vault, its token to the order.
 * Safe to retry: the order's id is the request's.
 * Throws: PAYMENT_DECLINED and ORDER_CANCELLED, for ever; IDEMPOTENCY_CONFLICT when the id stands for another card, sum or time;
 * PSP_UNAVAILABLE when the vault cannot be reached, INVALID_CARD when it takes no such card; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function buyByCard(deps: Deps, purchase: CardPurchase, waitMs: number): Promise<CardPurchaseAnswer> {
  const { starters } = deps;
  const order = toOrder(purchase, deps);
  const { orderId } = order;
  const before = await readSame(deps, order);
  if (before !== undefined && isClosed(before)) return { known: true, ...(await outcomeOf(deps, before)) };
  const started = await starters.startOrder({ ...order, card: await keepCard(deps.psp, purchase.card) });
  const known = started.alreadyStarted;
  const outcome = waitMs === 0 ? undefined : await started.outcome(waitMs);
  if (outcome?.failureCode === "IDEMPOTENCY_CONFLICT") throw new DomainError("IDEMPOTENCY_CONFLICT");
  const after = await readSame(deps, order);
  if (after !== undefined && isClosed(after)) return { known, ...(await outcomeOf(deps, after)) };
  // A row that is not there yet cannot tell whose order it is; the workflow that was started with it can.
  if (known && after === undefined && (await starters.orderRequestHash(orderId)) !== order.requestHash)
    throw new DomainError("IDEMPOTENCY_CONFLICT");
  return { orderId, known, decided: false };
}

/** True when a purchase by card was made, or is under way, under the id. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function isBoughtByCard({ db }: Pick<Deps, "db">, requestId: string): Promise<boolean> {
  return (await getOrder(db, purchaseOrderId(requestId))) !== undefined;
}

function toOrder(purchase: CardPurchase, { settings }: Deps): Omit<OrderSagaInput, "card"> {
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
    ...settings.orders,
  };
}

async function readSame({ db }: Deps, { orderId, requestHash }: Omit<OrderSagaInput, "card">): Promise<OrderRecord | undefined> {
  const order = await getOrder(db, orderId);
  if (order !== undefined && order.requestHash !== requestHash) throw new DomainError("IDEMPOTENCY_CONFLICT");
  return order;
}

async function outcomeOf({ db }: Deps, order: OrderRecord) {
  const { orderId, sagaState, failureCode, failureMessage } = order;
  if (sagaState !== "COMPLETED") {
    // Nothing was taken, whatever the reason, and under this key nothing will be.
    if (failureCode === "ORDER_CANCELLED") throw new DomainError("ORDER_CANCELLED", "the purchase was cancelled");
    throw new DomainError("PAYMENT_DECLINED", failureMessage ?? "the payment came to nothing");
  }
  const charge = await findOperation(db, stepKey(orderWorkflowId(orderId), "charge"));
  if (charge === undefined) throw new DomainError("INTERNAL", `the order ${orderId} is completed and has no charge`);
  return { orderId, decided: true as const, operationId: charge.operationId, recordedAt: charge.recordedAt };
}
