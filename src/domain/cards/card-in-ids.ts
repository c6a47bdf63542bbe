import { looksLikeCardOfABrand, maskCardsOfABrand } from "./card.ts";

/** UUIDs and hashes in hexadecimal, alone or as a part of an id: a few in a thousand hold digits that pass for a card's by chance. */
const MACHINE_MADE = /(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-f])/gi;

/** True when an id that a client chose holds what looks like a card number. */
export function isCardInId(id: string): boolean {
  return looksLikeCardOfABrand(id.replaceAll(MACHINE_MADE, "x"));
}

/** A permanent key with a card number of a known brand masked in the producer's own id. All else stays, as people search by these keys. */
export function maskCardInIdentity(identity: string): string {
  const id = identity.slice(identity.indexOf("#") + 1);
  return isCardInId(id) ? `${identity.slice(0, -id.length)}${maskCardsOfABrand(id)}` : identity;
}
