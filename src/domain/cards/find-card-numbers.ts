import type { NumberGroups } from "./number-groups.ts";

/** What may be a card number, by its place in the text it was found in. `number` has no zeros before a known brand's. */
export interface FoundNumber {
  readonly from: number;
  readonly to: number;
  readonly number: string;
}

export interface NumberSearch {
  /** True when the digits begin and are as many as those of a known brand. */
  readonly isOfBrand: (number: string) => boolean;
  /** True to find those numbers only; otherwise a number that stands alone counts whatever its first digits are. */
  readonly onlyBrands: boolean;
  /** True to allow anything but letters between the usual groups of a card: for text that is shown or logged, where one too many does no harm. */
  readonly anySeparator: boolean;
}

const MIN_DIGITS = 13;
const MAX_DIGITS = 19;

/** How many digits the groups of a card have, where other characters than spaces and dashes stand between them. */
const USUAL_SIZES = /^(?:1(?: 1)+|4 4 4(?: [1-4]){1,2}|4 6 [45])$/;

/**
 * The numbers of 13 to 19 digits that pass Luhn and may be a card's. Without `onlyBrands` a number that stands alone need not be of a known
 * brand; one among other digits (`4111 1111 1111 1111 12 26`), after zeros, or with dots and slashes in it, must: any four groups pass Luhn
 * one time in ten.
 * The work is bounded by the digits: from each group on at most 19 are looked at, twice.
 */
export function findCardNumbers(text: NumberGroups, search: NumberSearch): FoundNumber[] {
  const { groups } = text;
  const firstNonZeros = findFirstNonZeros(text);
  const found: FoundNumber[] = [];
  for (let first = 0; first < groups.length; first += 1) {
    const group = groups[first];
    if (group === undefined) break;
    const whole = lastGroupOfCard(text, search, { first, group: first, digit: group.from });
    const nonZero = firstNonZeros[first];
    const shorter = nonZero === undefined || nonZero.digit === group.from ? -1 : lastGroupOfCard(text, search, { first, ...nonZero });
    const last = groups[Math.max(whole, shorter)];
    if (last === undefined) continue;
    const number = text.digits.slice(group.from, last.to);
    const significant = number.replace(/^0+/, "");
    found.push({ from: group.at, to: last.end, number: search.isOfBrand(significant) ? significant : number });
    first = Math.max(whole, shorter);
  }
  return found;
}

interface Start {
  /** The group that the number begins with, zeros before it included. */
  readonly first: number;
  /** The group and the place of the digit that is looked at first. */
  readonly group: number;
  readonly digit: number;
}

// The last group of the longest card number from a start; -1 when there is none.
function lastGroupOfCard({ groups, digits }: NumberGroups, search: NumberSearch, start: Start): number {
  const afterZeros = start.digit !== groups[start.first]?.from;
  // Luhn doubles every other digit, counted from the end: both sums are kept, and the length chooses.
  const sums: [number, number] = [0, 0];
  let next = start.digit;
  let isLoose = false;
  let isWide = false;
  let found = -1;
  for (let place = start.group; place < groups.length; place += 1) {
    const group = groups[place];
    if (group === undefined || group.to - start.digit > MAX_DIGITS) break;
    if (place > start.group) {
      if (group.link === "none" || (group.link === "wide" && (afterZeros || !search.anySeparator))) break;
      isLoose ||= group.link === "loose";
      isWide ||= group.link === "wide";
    }
    for (; next < group.to; next += 1) {
      const digit = digits.charCodeAt(next) - 48;
      const doubled = digit > 4 ? digit * 2 - 9 : digit * 2;
      const isOdd = (next - start.digit) % 2 === 1;
      sums[0] += isOdd ? digit : doubled;
      sums[1] += isOdd ? doubled : digit;
    }
    const length = next - start.digit;
    if (length < MIN_DIGITS || (length % 2 === 0 ? sums[0] : sums[1]) % 10 !== 0) continue;
    const alone =
      !search.onlyBrands && !afterZeros && (place === start.first || (!isLoose && !isWide && standsAlone({ groups }, start.first, place)));
    if (isWide && !USUAL_SIZES.test(sizesOf({ groups }, start.first, place))) continue;
    if (alone || search.isOfBrand(digits.slice(start.digit, next))) found = place;
  }
  return found;
}

function standsAlone({ groups }: Pick<NumberGroups, "groups">, first: number, last: number): boolean {
  return !goesOn(groups[first]) && !goesOn(groups[last + 1]);
}

function sizesOf({ groups }: Pick<NumberGroups, "groups">, first: number, last: number): string {
  return groups
    .slice(first, last + 1)
    .map(({ from, to }) => to - from)
    .join(" ");
}

/** True for a group that belongs to the number before it. */
function goesOn(group: NumberGroups["groups"][number] | undefined): boolean {
  return group?.link === "close" || group?.link === "loose";
}

// For each group the first digit that is no zero, in it or in what follows as the same number.
function findFirstNonZeros({ groups, digits }: NumberGroups): ({ readonly group: number; readonly digit: number } | undefined)[] {
  const found: ({ readonly group: number; readonly digit: number } | undefined)[] = [];
  for (let place = groups.length - 1; place >= 0; place -= 1) {
    const { from, to } = groups[place] ?? { from: 0, to: 0 };
    let digit = from;
    while (digit < to && digits.charAt(digit) === "0") digit += 1;
    found[place] = digit < to ? { group: place, digit } : goesOn(groups[place + 1]) ? found[place + 1] : undefined;
  }
  return found;
}
