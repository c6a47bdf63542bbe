import type { Psp } from "../../adapters/psp/psp.ts";
import { DomainError } from "../../base/errors.ts";
import type { CardPayment } from "../../contract/orders.ts";
import type { AskedCard } from "./asked-order.ts";

/**
 * Hands a card, or the client's own token of one, to the payment provider's vault; what is answered is all that Saldo goes on with: its token, last four digits and brand.
 * Safe to retry: another token for the same card costs nothing.
 * Throws: PSP_UNAVAILABLE when there is no provider or its vault cannot be reached; INVALID_CARD when it takes no such card;
 * RAW_CARD_REFUSED when it is to be told tokens only.
 */
export async function keepCard(psp: Psp | undefined, card: AskedCard): Promise<CardPayment> {
  if (psp === undefined) throw new DomainError("PSP_UNAVAILABLE", "no payment provider is configured");
  if ("token" in card) {
    const kept = await psp.keepToken(card.token);
    return { cardToken: kept.token, last4: kept.last4, brand: kept.brand };
  }
  const { number, expiry, cvc, holderName, last4, brand } = card;
  const { token } = await psp.tokenise({ number, expiry, cvc, ...(holderName === undefined ? {} : { holderName }) });
  return { cardToken: token, last4, brand };
}
