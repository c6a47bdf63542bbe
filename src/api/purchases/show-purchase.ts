import { formatAmount } from "../../base/money.ts";
import type { PurchaseRecord } from "../../store/ledger/purchases.ts";
import type { ReadPurchase } from "./read-purchase.ts";

/** A purchase that was made by this request or an equal one, as it is answered. */
export function showMadePurchase(
  { body, card, purchase }: ReadPurchase,
  made: { readonly operationId: string; readonly recordedAt: Date },
) {
  const { currency } = purchase;
  return {
    purchase_id: made.operationId,
    status: "completed" as const,
    user_id: body.user_id,
    username: body.username,
    amount: formatAmount(purchase.amountMinor, currency),
    currency,
    payment_method: body.payment_method,
    paid_by: card === undefined ? ("wallet" as const) : ("card" as const),
    ...(card === undefined ? {} : { card: { brand: card.brand, last4: card.last4 } }),
    transaction_date: purchase.occurredAt,
    recorded_at: made.recordedAt.toISOString(),
  };
}

/** A purchase as it was recorded, refused ones included. */
export function showPurchase(purchase: PurchaseRecord) {
  const { refusalCode } = purchase;
  return {
    purchase_id: purchase.purchaseId,
    status: refusalCode === undefined ? ("completed" as const) : ("refused" as const),
    ...(refusalCode === undefined ? {} : { refusal_code: refusalCode }),
    user_id: purchase.userId,
    ...(purchase.username === undefined ? {} : { username: purchase.username }),
    amount: formatAmount(purchase.amountMinor, purchase.currency),
    currency: purchase.currency,
    paid_by: purchase.paidBy,
    source: purchase.source,
    service_id: purchase.serviceId,
    comment: purchase.comment,
    transaction_date: purchase.occurredAt.toISOString(),
    recorded_at: purchase.recordedAt.toISOString(),
  };
}
