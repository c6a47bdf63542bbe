import type { OrderRecord } from "./orders.ts";

/** The version of the text. Raise it when `OrderRecord` changes: a text of another version is not read. */
const FORMAT = "2 ";
const MINOR = /Minor$|^version$/;
const TIME = /At$|Since$/;

/** An order as a cache keeps it. */
export function orderToText(order: OrderRecord): string {
  return FORMAT + JSON.stringify(order, (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
}

/** The order in a text that `orderToText` wrote; undefined for any other text. */
export function orderFromText(text: string): OrderRecord | undefined {
  if (!text.startsWith(FORMAT)) return undefined;
  try {
    return JSON.parse(text.slice(FORMAT.length), (key, value: unknown) => {
      if (typeof value !== "string") return value;
      return MINOR.test(key) ? BigInt(value) : TIME.test(key) ? new Date(value) : value;
    }) as OrderRecord;
  } catch (error) {
    // A broken text counts as absent: the database is asked instead.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * The cache version of an order: the later of row and payment, in ms, doubled. Doubling leaves the odd numbers to `ageOfChange`, which
 * outranks every read made before the change.
 */
export function orderAge(order: Pick<OrderRecord, "updatedAt" | "payment">): bigint {
  return BigInt(Math.max(order.updatedAt.getTime(), order.payment?.updatedAt.getTime() ?? 0)) * 2n;
}

/** The cache version of a change at this moment of the database's clock: above that of every order read until then. */
export function ageOfChange(at: Date): bigint {
  return BigInt(at.getTime()) * 2n + 1n;
}
