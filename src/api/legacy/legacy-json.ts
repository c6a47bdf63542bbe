import { formatAmount } from "../../base/money.ts";
import { isRawNumber, rawNumber, type RawNumber } from "../../base/raw-json.ts";

/** A value that these paths answer with. Its numbers are written by their digits. */
export type LegacyValue = string | boolean | RawNumber | readonly LegacyValue[] | { readonly [name: string]: LegacyValue | undefined };

/** JSON text in which numbers have exactly their digits; members that are undefined are left out. */
export function writeLegacyJson(value: LegacyValue): string {
  if (isRawNumber(value)) return value.raw;
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((one: LegacyValue) => writeLegacyJson(one)).join(",")}]`;
  const members = Object.entries(value).flatMap(([name, member]) =>
    member === undefined ? [] : [`${JSON.stringify(name)}:${writeLegacyJson(member)}`],
  );
  return `{${members.join(",")}}`;
}

/**
 * Money as a JSON number in whole units, exact: no float is made of it. As short as it can be written, which is how the earlier
 * service's encoder wrote a float: 10000n is 100, 10050n is 100.5.
 */
export function legacyAmount(amountMinor: bigint, currency: string): RawNumber {
  const text = formatAmount(amountMinor, currency);
  return rawNumber(text.includes(".") ? text.replace(/\.?0+$/, "") : text);
}

/** An id as a JSON number when it is a safe integer, which every reader reads alike; else as text. */
export function legacyId(id: string): RawNumber | string {
  return /^(?:0|[1-9]\d{0,15})$/.test(id) && Number.isSafeInteger(Number(id)) ? rawNumber(id) : id;
}
