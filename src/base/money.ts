import { DomainError } from "./errors.ts";

/**
 * Decimals per currency where they are not 2, from ISO 4217 list one (2024-06-25); `PTS` are loyalty points.
 * `Intl` is not used: it follows CLDR, which gives IQD 0 decimals where ISO gives 3.
 */
const EXPONENTS: ReadonlyMap<string, number> = new Map([
  ...["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PTS", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"].map(
    (code) => [code, 0] as const,
  ),
  ...["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"].map((code) => [code, 3] as const),
  ...["CLF", "UYW"].map((code) => [code, 4] as const),
]);

const TWO_DECIMALS = new Set(
  (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW " +
    "CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR " +
    "ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR " +
    "MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP " +
    "STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XSU XUA YER ZAR ZMW ZWL"
  ).split(" "),
);

/** The largest amount one operation may carry, in minor units of any currency: 9,999,999,999.99 in a currency with two decimals. */
export const MAX_AMOUNT_MINOR = 999_999_999_999n;

const DECIMAL = /^(0|[1-9]\d{0,15})(?:\.(\d{1,6}))?$/;

/** The number of decimals of a currency. Throws: INVALID_CURRENCY. */
export function exponentOf(currency: string): number {
  const exponent = EXPONENTS.get(currency) ?? (TWO_DECIMALS.has(currency) ? 2 : undefined);
  if (exponent === undefined) throw new DomainError("INVALID_CURRENCY", `unknown currency ${JSON.stringify(currency.slice(0, 16))}`);
  return exponent;
}

/** True when the code is one that amounts can be kept in. */
export function isCurrency(currency: string): boolean {
  return EXPONENTS.has(currency) || TWO_DECIMALS.has(currency);
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
  const amountMinor = BigInt(whole + fraction.padEnd(exponent, "0"));
  if (amountMinor <= 0n) throw new DomainError("INVALID_AMOUNT", "the amount must be above zero");
  if (amountMinor > MAX_AMOUNT_MINOR) throw new DomainError("INVALID_AMOUNT", "the amount is above the largest one operation may carry");
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
