import type { OrderRecord } from "./orders.ts";

/** Raised with the shape of an order: what was written in another one is not read. */
const FORMAT = "1 ";
const MINOR = /Minor$|^version$/;
const TIME = /At$|Since$/;

/** An order as a cache keeps it. */
export function orderToText(order: OrderRecord): string {
  return FORMAT + JSON.stringify(order, (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
}

/** The order that such a text is of; undefined when it is none of ours. */
export function orderFromText(text: string): OrderRecord | undefined {
  if (!text.startsWith(FORMAT)) return undefined;
  try {
    return JSON.parse(text.slice(FORMAT.length), (key, value: unknown) => {
      if (typeof value !== "string") return value;
      return MINOR.test(key) ? BigInt(value) : TIME.test(key) ? new Date(value) : value;
    }) as OrderRecord;
  } catch (error) {
    // Of a text that is broken nothing is known: the database is asked instead.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * How new what is known of an order is: its row and its payment change apart from each other. Even for the order as it was read; the odd
 * number after it says that nothing read before that moment is right any more.
 */
export function orderAge(order: Pick<OrderRecord, "updatedAt" | "payment">): bigint {
  return BigInt(Math.max(order.updatedAt.getTime(), order.payment?.updatedAt.getTime() ?? 0)) * 2n;
}

/** As `orderAge`, for a change at this moment of the database's clock that makes all that was read before it wrong. */
export function ageOfChange(at: Date): bigint {
  return BigInt(at.getTime()) * 2n + 1n;
}
