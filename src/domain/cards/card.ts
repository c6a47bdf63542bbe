import { DomainError } from "../../base/errors.ts";
import { findCardNumbers, type FoundNumber } from "./find-card-numbers.ts";
import { readNumberGroups, startOfLastDigits } from "./number-groups.ts";
import { readEscapesPlainly, readPlainly, type PlainText } from "./plain-text.ts";

/** A card as it was sent. It exists in memory only, between the request and the payment provider's vault. */
export interface CardInput {
  readonly number: string;
  /** `MM/YY`. */
  readonly expiry: string;
  readonly cvc: string;
  readonly holderName?: string;
}

/** A card whose parts fit together. `number` has digits only; whether the card exists, its bank alone knows. */
export interface CheckedCard extends CardInput {
  readonly last4: string;
  readonly brand: CardBrand;
}

/** Where the parts of a card stand in the request, as JSON pointers, so that an error names the place and never the value. */
export interface CardPointers {
  readonly number: string;
  readonly expiry: string;
  readonly cvc: string;
}

const POINTERS: CardPointers = { number: "/card/number", expiry: "/card/expiry", cvc: "/card/cvc" };

const BRANDS = [
  { brand: "amex", start: /^3[47]/, lengths: [15], cvcLength: 4 },
  { brand: "diners", start: /^3(?:0[0-5]|[689])/, lengths: [14, 15, 16, 17, 18, 19], cvcLength: 3 },
  { brand: "jcb", start: /^35(?:2[89]|[3-8]\d)/, lengths: [16, 17, 18, 19], cvcLength: 3 },
  { brand: "mir", start: /^220[0-4]/, lengths: [16, 17, 18, 19], cvcLength: 3 },
  {
    brand: "mastercard",
    start: /^(?:5[1-5]|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)/,
    lengths: [16],
    cvcLength: 3,
  },
  { brand: "visa", start: /^4/, lengths: [13, 16, 19], cvcLength: 3 },
  { brand: "unionpay", start: /^62/, lengths: [16, 17, 18, 19], cvcLength: 3 },
  { brand: "discover", start: /^6(?:011|4[4-9]|5)/, lengths: [16, 17, 18, 19], cvcLength: 3 },
  { brand: "maestro", start: /^(?:50|5[6-9]|6)/, lengths: [12, 13, 14, 15, 16, 17, 18, 19], cvcLength: 3 },
] as const;

export type CardBrand = (typeof BRANDS)[number]["brand"] | "unknown";

/** The brand that the number's first digits belong to. */
export function brandOf(number: string): CardBrand {
  return BRANDS.find(({ start }) => start.test(number))?.brand ?? "unknown";
}

/**
 * Checks a card: 12 to 19 digits with the right check digit (spaces and dashes between them are taken away), `MM/YY` not past on
 * the day of the transaction (a card is good until its last month has ended, in UTC), and a CVC as long as the brand's.
 * Throws: INVALID_CARD with `details.pointer`; neither the message nor the details repeat anything of the card.
 */
export function checkCard(card: CardInput, atDate: Date, pointers: CardPointers = POINTERS): CheckedCard {
  const number = card.number.replaceAll(/[ -]/g, "");
  if (!/^\d{12,19}$/.test(number)) throw invalid(pointers.number, "the card's number must have 12 to 19 digits");
  if (!isLuhnValid(number)) throw invalid(pointers.number, "the card's number has a wrong digit");
  checkExpiry(card.expiry, atDate, pointers.expiry);
  const brand = brandOf(number);
  const cvcLength = BRANDS.find((each) => each.brand === brand)?.cvcLength;
  const fits = cvcLength === undefined ? /^\d{3,4}$/.test(card.cvc) : /^\d+$/.test(card.cvc) && card.cvc.length === cvcLength;
  if (!fits) throw invalid(pointers.cvc, `the card's CVC must have ${cvcLength ?? "3 or 4"} digits`);
  return { ...card, number, last4: number.slice(-4), brand };
}

function checkExpiry(expiry: string, atDate: Date, pointer: string): void {
  const [, month, year] = /^(0[1-9]|1[0-2])\/(\d{2})$/.exec(expiry) ?? [];
  if (month === undefined || year === undefined) throw invalid(pointer, "the card's expiry must be MM/YY");
  // Month `month` counts from zero here, so this is the first moment after the card's last month.
  const endsAtMs = Date.UTC(2000 + Number(year), Number(month), 1);
  if (!(atDate.getTime() < endsAtMs)) throw invalid(pointer, "the card has expired");
}

function invalid(pointer: string, message: string): DomainError {
  return new DomainError("INVALID_CARD", message, { pointer });
}

/** True when the last digit is the check digit of the others (Luhn, ISO/IEC 7812-1). The text must have digits only. */
export function isLuhnValid(digits: string): boolean {
  let sum = 0;
  for (let place = 0; place < digits.length; place += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - place) - 48;
    const doubled = digit * 2;
    sum += place % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return digits.length > 0 && sum % 10 === 0;
}

/**
 * True when the text, or an id, holds what may be a card number: digits of any script, also with spaces, dashes, dots, slashes or invisible
 * characters between them or zeros before them, that begin as a card system's do, are as many, and pass Luhn; as the text is written, or as it
 * reads without the escapes of JSON. By Luhn alone every IMEI and one in ten of all invoice numbers and times would be a card.
 */
export function looksLikeCardNumber(text: string): boolean {
  if (hasTooFewDigits(text)) return false;
  const asked = text.replaceAll(MACHINE_MADE, "x");
  if (hasTooFewDigits(asked)) return false;
  return readingsOf(asked).some((read) => findOfBrands(read(asked).plain).length > 0);
}

/**
 * The text with every number that may be a card's cut to its last four digits, for what must be shown or logged. Here anything but
 * letters may stand between the usual groups of a card. All else stays as it is.
 */
export function maskDigits(text: string): string {
  return readingsOf(text).reduce((masked, read) => {
    // Numbers that are surely a card's are masked first: else their first digits might be taken for the end of a list before them.
    const sure = maskFound(masked, read(masked), findIn);
    return maskFound(sure, read(sure), findWithAnySeparator);
  }, text);
}

/** As `maskDigits`, only numbers that `looksLikeCardNumber` finds: for ids, which people search for. */
export function maskCardsOfABrand(text: string): string {
  return readingsOf(text).reduce((masked, read) => maskFound(masked, read(masked), findOfBrands), text);
}

/** The text without the digits at its end that may be the first of a card number, for what was cut off there. */
export function withoutCutNumber(text: string): string {
  const whole = text.replace(CUT_ESCAPE, "");
  const tailAt = Math.max(0, whole.length - MAX_CUT_LENGTH);
  const tail = whole.slice(tailAt);
  const starts = readingsOf(tail).flatMap((read) => {
    const { plain, startOf } = read(tail);
    const start = startOfLastDigits(plain, MAX_DIGITS - 1);
    return start === undefined ? [] : [startOf(start)];
  });
  return starts.length === 0 ? text : whole.slice(0, tailAt + Math.min(...starts));
}

/** The fewest digits that a brand or a system has. */
const MIN_DIGITS = 12;
const MAX_DIGITS = 19;
/** UUIDs and hashes in hexadecimal, alone or as a part of an id: a few in a thousand hold digits that pass for a card's by chance. */
const MACHINE_MADE = /(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![0-9a-f])/gi;
/** The first digits of all brands and systems here. */
const FIRST_DIGIT = /^[2-689]/;
/**
 * Card systems of one country whose numbers no brand above has: Uzcard, Humo, Belkart, Elkart, Troy, RuPay and Napas. Their cards are of an
 * unknown brand to `brandOf`, which stands in the hashes of orders by card.
 */
const NATIONAL = [
  { start: /^(?:8600|9860|9112|9417|9792|8[12])/, lengths: [16] },
  { start: /^9704/, lengths: [16, 19] },
] as const;
const SYSTEMS = [...BRANDS, ...NATIONAL];
/** The beginning of a JSON escape. */
const CUT_ESCAPE = /\\(?:u[\da-fA-F]{0,3})?$/;
/** Longer than the digits of a card are in any spelling that is masked: each an escape, with 8 more before the next. */
const MAX_CUT_LENGTH = 1_024;

// Most texts are names and sentences. Outside ASCII a character may stand for several digits, and so may an escape.
function hasTooFewDigits(text: string): boolean {
  let digits = 0;
  for (let place = 0; place < text.length; place += 1) {
    const code = text.charCodeAt(place);
    if (code > 0x7f || code === 0x5c) return false;
    if (code >= 0x30 && code <= 0x39) digits += 1;
  }
  return digits < MIN_DIGITS;
}

function readingsOf(text: string): ((text: string) => PlainText)[] {
  return text.includes("\\") ? [readPlainly, readEscapesPlainly] : [readPlainly];
}

function findOfBrands(plain: string): FoundNumber[] {
  return findCardNumbers(readNumberGroups(plain), { isOfBrand, onlyBrands: true, anySeparator: false });
}

function findIn(plain: string): FoundNumber[] {
  return findCardNumbers(readNumberGroups(plain), { isOfBrand, onlyBrands: false, anySeparator: false });
}

function findWithAnySeparator(plain: string): FoundNumber[] {
  return findCardNumbers(readNumberGroups(plain), { isOfBrand, onlyBrands: false, anySeparator: true });
}

function maskFound(text: string, { plain, startOf, endOf }: PlainText, find: (plain: string) => FoundNumber[]): string {
  let masked = "";
  let at = 0;
  for (const { from, to, number } of find(plain)) {
    masked += `${text.slice(at, startOf(from))}****${number.slice(-4)}`;
    at = endOf(to - 1);
  }
  return masked + text.slice(at);
}

function isOfBrand(number: string): boolean {
  return (
    FIRST_DIGIT.test(number) &&
    SYSTEMS.some(({ start, lengths }) => start.test(number) && (lengths as readonly number[]).includes(number.length))
  );
}
