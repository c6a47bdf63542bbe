import { DomainError } from "../../base/errors.ts";
import { looksLikeCardNumber, looksLikeCardOfABrand } from "../../domain/cards/card.ts";

/**
 * As `refuseCardData`, for text that is mostly ids and amounts. Of these one in ten of a card's length passes the Luhn check by chance,
 * so only numbers of a known brand are refused.
 */
export function refuseCardInIds(text: string | undefined, pointer: string): void {
  if (text !== undefined && looksLikeCardOfABrand(text)) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer });
}

/** Passes text that may be kept. Throws: CARD_DATA_REFUSED with the pointer, never with the text, when it holds what looks like a card number. */
export function refuseCardData(text: string | undefined, pointer: string): void {
  if (text !== undefined && looksLikeCardNumber(text)) throw new DomainError("CARD_DATA_REFUSED", undefined, { pointer });
}
