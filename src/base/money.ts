import { decimalsOf } from "./currencies.ts";
import { DomainError } from "./errors.ts";

/** The largest amount one operation may carry, in minor units of any currency: 9,999,999,999.99 in a currency with two decimals. */
export const MAX_AMOUNT_MINOR = 999_999_999_999n;

const DECIMAL = /^(0|[1-9]\d*)(?:\.(\d+))?$/;
/** Whole units with more digits are above MAX_AMOUNT_MINOR in every currency, and no number is made of them. */
const MAX_WHOLE_DIGITS = 15;

/** The number of decimals of a currency. Throws: INVALID_CURRENCY. */
export function exponentOf(currency: string): number {
  const exponent = decimalsOf(currency);
  if (exponent === undefined) throw new DomainError("INVALID_CURRENCY", `unknown currency ${JSON.stringify(currency.slice(0, 16))}`);
  return exponent;
}

/** True when the code is one that amounts can be kept in. */
export function isCurrency(currency: string): boolean {
  return decimalsOf(currency) !== undefined;
}

/**
 * Reads a decimal text such as `100.50` into minor units, exactly: no float is ever made of it.
 * Throws: INVALID_AMOUNT when it is not a plain decimal, has more decimals than the currency, is not positive
 * or is above MAX_AMOUNT_MINOR; INVALID_CURRENCY.
 */
export function parseAmount(text: string, currency: string): bigint {
  const exponent = exponentOf(currency);
  const match = DECIMAL.exec(text);
  if (match === null) throw new DomainError("INVALID_AMOUNT", "the amount is not a plain decimal such as 100.50");
  const [, whole = "0", fraction = ""] = match;
  if (fraction.length > exponent) throw new DomainError("INVALID_AMOUNT", `${currency} has ${exponent} decimals`);
  const amountMinor = whole.length > MAX_WHOLE_DIGITS ? undefined : BigInt(whole + fraction.padEnd(exponent, "0"));
  if (amountMinor === undefined || amountMinor > MAX_AMOUNT_MINOR)
    throw new DomainError(
      "INVALID_AMOUNT",
      `the amount is above ${inWords(MAX_AMOUNT_MINOR, currency)}, the largest one operation may carry`,
    );
  if (amountMinor <= 0n) throw new DomainError("INVALID_AMOUNT", "the amount must be above zero");
  return amountMinor;
}

/**
 * Writes minor units, as a bigint or as the text that crosses a workflow's edge, as decimal text with exactly the currency's decimals:
 * `-5n, "RUB"` gives `-0.05`. Throws: INVALID_CURRENCY.
 */
export function formatAmount(amountMinor: bigint | string, currency: string): string {
  const exponent = exponentOf(currency);
  const minor = BigInt(amountMinor);
  const sign = minor < 0n ? "-" : "";
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, "0");
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** As `formatAmount`, with the currency behind it, for a sentence: `100.50 RUB`. Throws: INVALID_CURRENCY. */
export function inWords(amountMinor: bigint | string, currency: string): string {
  return `${formatAmount(amountMinor, currency)} ${currency}`;
}
