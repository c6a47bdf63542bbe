import { looksLikeCardNumber } from "../domain/cards/card.ts";

/** The fields of events that hold words and are kept, and what each is called on its topic. */
const WORDS = [
  ["paymentMethod", "payment_method"],
  ["comment", "comment"],
] as const;

/**
 * The first field of words that holds what looks like a card number, as its topic calls it. Ids are never asked: of those with 13 digits or
 * more, such as `pay_4539578763621486`, one in ten passes for a card by chance, and its user or payment could never be served.
 */
export function fieldWithCard(event: object): string | undefined {
  const fields: Readonly<Record<string, unknown>> = { ...event };
  return WORDS.find(([name]) => {
    const text = fields[name];
    return typeof text === "string" && looksLikeCardNumber(text);
  })?.[1];
}
