import { looksLikeCardNumber, maskCardsOfABrand } from "./card.ts";

/** A permanent key with a card number of a known brand masked in the producer's own id. All else stays, as people search by these keys. */
export function maskCardInIdentity(identity: string): string {
  const id = identity.slice(identity.indexOf("#") + 1);
  return looksLikeCardNumber(id) ? `${identity.slice(0, -id.length)}${maskCardsOfABrand(id)}` : identity;
}
