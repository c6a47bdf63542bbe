import { looksLikeCardNumber } from "../domain/card.ts";
import { DomainError } from "../errors.ts";

/** Passes text that may be kept. Throws: CARD_DATA_REFUSED with the place when it holds what looks like a card number; never the text. */
export function refuseCardData(text: string | undefined, pointer: string): void {
  if (text !== undefined && looksLikeCardNumber(text)) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer });
}
