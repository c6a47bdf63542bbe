import { DomainError } from "../errors.ts";

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

/** How long what is looked for in free text is. */
const MIN_DIGITS = 13;
const MAX_DIGITS = 19;

/** Digits in groups, as people write numbers: between two groups up to three spaces, dashes of any kind, or what is put there to hide them. */
const DIGIT_GROUPS = /\d+(?:[\s\p{Pd}._/\p{Cf}]{1,3}\d+)*/gu;
/** What also stands in sums, dates and paths: with these between them digits must be a brand's. */
const LOOSE_SEPARATOR = /[._/]/;
const OTHER_DIGIT = /(?![0-9])\p{Nd}/gu;
const DIGIT = /^\p{Nd}$/u;

/**
 * True when the text holds what may be a card number: 13 to 19 digits of any script, also with spaces, dashes, dots, slashes or
 * invisible characters between them or zeros before them, that pass Luhn.
 * For free text only. One id or amount in ten of that length passes Luhn by chance, so those are never asked.
 */
export function looksLikeCardNumber(text: string): boolean {
  return findCardNumbers(withPlainDigits(text)).length > 0;
}

/** As `looksLikeCardNumber`, of a brand that is known: for ids, which are often long numbers, such as a time in nanoseconds. */
export function looksLikeCardOfABrand(text: string): boolean {
  return findCardNumbers(withPlainDigits(text)).some(({ brand }) => brand !== "unknown");
}

/** The text with every number that may be a card's cut to its last four digits, for what must be shown or logged. */
export function maskDigits(text: string): string {
  const normal = withPlainDigits(text);
  let masked = "";
  let at = 0;
  for (const { from, to, last4 } of findCardNumbers(normal)) {
    masked += `${normal.slice(at, from)}****${last4}`;
    at = to;
  }
  return at === 0 ? text : masked + normal.slice(at);
}

// The digits of a script follow each other from its zero on, ten by ten.
function withPlainDigits(text: string): string {
  return text.normalize("NFKC").replace(OTHER_DIGIT, (digit) => {
    const code = digit.codePointAt(0) ?? 0;
    let before = 0;
    while (DIGIT.test(String.fromCodePoint(code - before - 1))) before += 1;
    return String(before % 10);
  });
}

interface Found {
  readonly from: number;
  readonly to: number;
  readonly last4: string;
  readonly brand: CardBrand;
}

function findCardNumbers(text: string): Found[] {
  const found: Found[] = [];
  for (const run of text.matchAll(DIGIT_GROUPS)) {
    const groups = [...run[0].matchAll(/\d+/g)].map((group) => ({ digits: group[0], at: run.index + group.index }));
    let first = 0;
    while (first < groups.length) {
      const last = lastGroupOfCard(groups, first, LOOSE_SEPARATOR.test(run[0]));
      if (last === undefined) {
        first += 1;
        continue;
      }
      const end = groups[last] ?? { digits: "", at: 0 };
      const number = digitsOf(groups, first, last);
      found.push({ from: groups[first]?.at ?? 0, to: end.at + end.digits.length, last4: number.slice(-4), brand: brandOf(number) });
      first = last + 1;
    }
  }
  return found;
}

type Groups = readonly { readonly digits: string }[];

// A number that stands among other digits (`4111 1111 1111 1111 12 26`) must begin and be as long as a brand's: any four groups of
// digits pass Luhn one time in ten.
function lastGroupOfCard(groups: Groups, first: number, isLoose: boolean): number | undefined {
  for (let last = Math.min(groups.length, first + MAX_DIGITS) - 1; last >= first; last -= 1) {
    const number = digitsOf(groups, first, last);
    const alone = first === last || (!isLoose && first === 0 && last === groups.length - 1);
    if (isCardLike(number, alone)) return last;
    const shorter = number.replace(/^0+/, "");
    if (shorter.length < number.length && isCardLike(shorter, false)) return last;
  }
  return undefined;
}

function isCardLike(number: string, alone: boolean): boolean {
  return number.length >= MIN_DIGITS && number.length <= MAX_DIGITS && isLuhnValid(number) && (alone || isOfBrand(number));
}

function digitsOf(groups: Groups, first: number, last: number): string {
  return groups
    .slice(first, last + 1)
    .map(({ digits }) => digits)
    .join("");
}

function isOfBrand(number: string): boolean {
  return BRANDS.some(({ start, lengths }) => start.test(number) && (lengths as readonly number[]).includes(number.length));
}
