import { looksLikeCardNumber } from "../domain/card.ts";
import { isCardBesideId } from "../domain/card-in-ids.ts";

/** The fields of events that are kept as texts, and what each is called on its topic. */
const KEPT: readonly (readonly [name: string, asWritten: string, holdsCard: (text: string) => boolean])[] = [
  ["eventId", "event_id", isCardBesideId],
  ["userId", "user_id", isCardBesideId],
  ["serviceId", "service_id", isCardBesideId],
  ["orderId", "order_id", isCardBesideId],
  ["sagaId", "saga_id", isCardBesideId],
  ["paymentId", "payment_id", isCardBesideId],
  ["paymentMethod", "payment_method", looksLikeCardNumber],
  ["comment", "comment", looksLikeCardNumber],
];
/** Shorter text has no room for a card's digits. */
const MIN_LENGTH = 13;

/** The first field that would be kept and holds what looks like a card number, as its topic calls it. */
export function fieldWithCard(event: object): string | undefined {
  const fields: Readonly<Record<string, unknown>> = { ...event };
  for (const [name, asWritten, holdsCard] of KEPT) {
    const text = fields[name];
    if (typeof text === "string" && text.length >= MIN_LENGTH && holdsCard(text)) return asWritten;
  }
  const lines: readonly unknown[] = Array.isArray(fields["lines"]) ? fields["lines"] : [];
  return lines.some((line) => fieldWithCard(Object(line) as object) !== undefined) ? "items" : undefined;
}

/** An event's own id where it may be kept as one. */
export function usableId(eventId: string | undefined): string | undefined {
  return eventId === undefined || isCardBesideId(eventId) ? undefined : eventId;
}
