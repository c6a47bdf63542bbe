import { DomainError } from "../../base/errors.ts";
import type { CheckedCard } from "../../domain/cards/card.ts";
import { purchaseOperation } from "../../domain/ledger/wallet-operations.ts";
import { postOnLedger } from "../../store/ledger/done-or-throw.ts";
import type { Ledger } from "../../store/ledger/ledger.ts";
import { findOperation } from "../../store/ledger/operations.ts";
import { buyByCard, isBoughtByCard, type CardPurchase, type CardPurchaseDeps } from "../orders/buy-by-card.ts";

/** A purchase that a client asks for. */
interface AskedPurchase extends Omit<CardPurchase, "requestId" | "card"> {
  /** Its permanent key in the ledger, and the id that is made of it. */
  readonly key: string;
  readonly id: string;
  /** True when the client gave the key, so that the same purchase may have been asked for before. */
  readonly isRepeatable: boolean;
  /** Without one the wallet pays. */
  readonly card: CheckedCard | undefined;
}

/** How a purchase stands. `replayed` is true when it was asked for before; undecided is only one by card, as its order. */
export type MadePurchase = { readonly replayed: boolean } & (
  | { readonly decided: true; readonly operationId: string; readonly recordedAt: Date }
  | { readonly decided: false; readonly orderId: string }
);

/**
 * Makes a purchase: from the wallet in one operation, by card through an order whose end is waited for, at most `waitMs`. A key that stands
 * for a purchase by the other means is refused.
 * Safe to retry by its key.
 * Throws: INSUFFICIENT_FUNDS, IDEMPOTENCY_CONFLICT, and by card as `buyByCard`; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function makePurchase(
  deps: CardPurchaseDeps & { readonly ledger: Ledger },
  { key, id, isRepeatable, card, ...purchase }: AskedPurchase,
  waitMs: number,
): Promise<MadePurchase> {
  const { db, ledger } = deps;
  if (card !== undefined) {
    if (isRepeatable && (await findOperation(db, key)) !== undefined) throw new DomainError("IDEMPOTENCY_CONFLICT");
    return await buyByCard(deps, { requestId: id, card, ...purchase }, waitMs);
  }
  if (isRepeatable && (await isBoughtByCard(db, id))) throw new DomainError("IDEMPOTENCY_CONFLICT");
  const { caller, correlationId, ...content } = purchase;
  const posted = await postOnLedger(ledger, purchaseOperation({ key, ...content, origin: { caller, correlationId } }));
  return { decided: true, replayed: posted.duplicate, operationId: posted.operationId, recordedAt: posted.recordedAt };
}
