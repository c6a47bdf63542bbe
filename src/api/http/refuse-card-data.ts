import { DomainError } from "../../base/errors.ts";
import { looksLikeCardNumber } from "../../domain/cards/card.ts";

/** Passes text that may be kept. Throws: CARD_DATA_REFUSED with the pointer, never with the text, when it holds what looks like a card number. */
export function refuseCardData(text: string | undefined, pointer: string): void {
  if (text !== undefined && looksLikeCardNumber(text)) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer });
}
