import type { OutgoingMessage } from "../../adapters/kafka/kafka.ts";

/** The kinds of events that a steady load can be made of. */
export type LoadKind = "purchase" | "loyalty" | "order" | "saga-command";

export interface LoadOptions {
  readonly kind: LoadKind;
  readonly users: number;
  /** A part of the events' ids and content: the same seed makes the same events, which are duplicates the second time. */
  readonly seed: number;
  readonly currency: string;
  /** The services that are bought; needed for orders. */
  readonly services: readonly string[];
  /** When the events happened, ISO 8601. */
  readonly occurredAt: string;
}

/** The event of this number, made of the seed alone. */
export function loadEvent(options: LoadOptions, number: number): OutgoingMessage {
  const draw = scrambled(options.seed, number);
  const userId = `load-user-${draw(1) % options.users}`;
  const id = `load-${options.seed}-${number}`;
  const amount = ((1 + (draw(2) % 99_999)) / 100).toFixed(2);
  const service = options.services[draw(3) % Math.max(1, options.services.length)];
  const named = service === undefined ? {} : { service_id: service };
  const common = { user_id: userId, amount, currency: options.currency };
  switch (options.kind) {
    case "purchase":
      return message(userId, {
        ...common,
        ...named,
        event_id: id,
        username: userId,
        payment_method: "credit_card",
        transaction_date: options.occurredAt,
      });
    case "loyalty": {
      // Four of five give points, so that most redemptions are covered.
      const type = draw(4) % 5 === 0 ? "redemption" : "accrual";
      return message(userId, { transaction_id: id, user_id: userId, type, amount: 1 + (draw(2) % 100), occurred_at: options.occurredAt });
    }
    case "order":
      return message(id, { order_id: id, user_id: userId, currency: options.currency, items: [{ ...named, amount }] });
    case "saga-command":
      return message(id, { ...common, saga_id: id, command: "CHARGE", order_id: id });
  }
}

function message(key: string, event: Readonly<Record<string, unknown>>): OutgoingMessage {
  return { key, value: JSON.stringify(event) };
}

/** Pseudo-random whole numbers made of a seed and a place: any event can be made without the events before it. */
function scrambled(seed: number, place: number): (salt: number) => number {
  return (salt) => {
    let mixed = Math.imul(seed ^ Math.imul(place + 1, 0x9e3779b1) ^ Math.imul(salt, 0x85ebca6b), 0xc2b2ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    return (mixed ^ (mixed >>> 13)) >>> 0;
  };
}
