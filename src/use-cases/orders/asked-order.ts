import { hashOf } from "../../base/hash.ts";
import type { OrderSagaInput } from "../../contract/orders.ts";
import type { CheckedCard } from "../../domain/cards/card.ts";

/** What a client pays with: a card, or a token that it has from the payment provider itself. */
export type AskedCard = CheckedCard | { readonly token: string };

/** An order as it was asked for. A card is still beside it: what starts the workflow gets its token only. */
export interface AskedOrder {
  readonly input: Omit<OrderSagaInput, "card">;
  readonly card: AskedCard | undefined;
}

/**
 * What makes a request for an order another one, as a hash; words and the way it came are not content. Of a card only what is kept anyway
 * counts: a hash of its number could be guessed back.
 */
export function orderRequestHash(
  order: Pick<OrderSagaInput, "userId" | "currency" | "lines" | "paymentMethod">,
  card?: Pick<CheckedCard, "last4" | "brand"> | { readonly token: string },
): string {
  return hashOf([
    order.userId,
    order.currency,
    order.paymentMethod,
    order.lines.map(({ serviceId, quantity, amountMinor }) => [serviceId, quantity, amountMinor]),
    ...(card === undefined ? [] : "token" in card ? [card.token] : [card.last4, card.brand]),
  ]);
}
