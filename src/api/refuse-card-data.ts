import { looksLikeCardNumber, looksLikeCardOfABrand } from "../domain/card.ts";
import { DomainError } from "../errors.ts";

/** Made by a machine, in hexadecimal: of a thousand of these some hold digits that pass for a card's by chance. */
const MACHINE_ID = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** True when an id that a client chose holds what looks like a card number. */
export function isCardInId(id: string): boolean {
  return !MACHINE_ID.test(id) && looksLikeCardOfABrand(id);
}

/** Passes text that may be kept. Throws: CARD_DATA_REFUSED with the place when it holds what looks like a card number; never the text. */
export function refuseCardData(text: string | undefined, pointer: string): void {
  if (text !== undefined && looksLikeCardNumber(text)) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer });
}
