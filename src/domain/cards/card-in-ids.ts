import { looksLikeCardOfABrand, maskCardsOfABrand } from "./card.ts";

/** Made by a machine, in hexadecimal, alone or as a part of an id: of a thousand of these some hold digits that pass for a card's by chance. */
const MACHINE_MADE = /(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-f])/gi;

/** True when an id that a client chose holds what looks like a card number. */
export function isCardInId(id: string): boolean {
  return looksLikeCardOfABrand(id.replaceAll(MACHINE_MADE, "x"));
}

/** The permanent key of a message's effect, by which people search: only a card of a known brand in the id that the producer gave is masked. */
export function maskCardInIdentity(identity: string): string {
  const id = identity.slice(identity.indexOf("#") + 1);
  return isCardInId(id) ? `${identity.slice(0, -id.length)}${maskCardsOfABrand(id)}` : identity;
}
