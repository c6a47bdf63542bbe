import { looksLikeCardNumber } from "../domain/cards/card.ts";

/** The free-text fields of events that are stored, each with its name on its topic. */
const WORDS = [
  ["paymentMethod", "payment_method"],
  ["username", "username"],
  ["comment", "comment"],
] as const;

/**
 * The name, on its topic, of the first free-text field that holds what looks like a card number. Ids are not searched: of ids with 13 digits
 * or more, such as `pay_4539578763621486`, one in ten looks like a card by chance, and its user or payment could never be served.
 */
export function fieldWithCard(event: object): string | undefined {
  for (const [name, onTopic] of WORDS) {
    const text: unknown = Reflect.get(event, name);
    if (typeof text === "string" && looksLikeCardNumber(text)) return onTopic;
  }
  return undefined;
}
