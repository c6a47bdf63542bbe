import { DomainError } from "../../base/errors.ts";
import { looksLikeCardNumber, looksLikeCardOfABrand } from "../../domain/cards/card.ts";

/**
 * As `refuseCardData`, for text that is mostly ids and amounts, of which one in ten of a card's length passes for a card by chance: only
 * numbers of a brand that is known.
 */
export function refuseCardInIds(text: string | undefined, pointer: string): void {
  if (text !== undefined && looksLikeCardOfABrand(text)) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer });
}

/** Passes text that may be kept. Throws: CARD_DATA_REFUSED with the place when it holds what looks like a card number; never the text. */
export function refuseCardData(text: string | undefined, pointer: string): void {
  if (text !== undefined && looksLikeCardNumber(text)) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer });
}
