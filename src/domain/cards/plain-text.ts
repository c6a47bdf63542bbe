/** A text with its digits written plainly, and where each character of that stands in the text it was read from. */
export interface PlainText {
  readonly plain: string;
  /** Where the original of the plain character at this place begins. */
  startOf(place: number): number;
  /** Where it ends. */
  endOf(place: number): number;
}

const OUTSIDE_ASCII = /\P{ASCII}/gu;
const ESCAPED = /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u[\da-fA-F]{4}|\\[bfnrt"\\/]|\P{ASCII}/gu;
const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const OTHER_DIGIT = /(?![0-9])\p{Nd}/gu;
const DIGIT = /^\p{Nd}$/u;

/** The text with digits of every script and form as 0 to 9, and its other characters in their plainest form (NFKC). */
export function readPlainly(text: string): PlainText {
  return replaceEach(text, OUTSIDE_ASCII, plainForm);
}

/** As `readPlainly`, of what the text means where it is JSON: `\u0034` is a 4, `\n` the end of a line. The text may be JSON in part. */
export function readEscapesPlainly(text: string): PlainText {
  return replaceEach(text, ESCAPED, (written) => (written.startsWith("\\") ? plainForm(meantBy(written)) : plainForm(written)));
}

function replaceEach(text: string, pattern: RegExp, plainOf: (written: string) => string): PlainText {
  const known = new Map<string, string>();
  const starts: number[] = [];
  const ends: number[] = [];
  let plain = "";
  let at = 0;
  const keepUntil = (end: number) => {
    plain += text.slice(at, end);
    for (; at < end; at += 1) {
      starts.push(at);
      ends.push(at + 1);
    }
  };
  for (const { 0: written, index } of text.matchAll(pattern)) {
    keepUntil(index);
    const meant = known.get(written) ?? plainOf(written);
    known.set(written, meant);
    at = index + written.length;
    for (let unit = 0; unit < meant.length; unit += 1) {
      starts.push(index);
      ends.push(at);
    }
    plain += meant;
  }
  if (at === 0) return { plain: text, startOf: (place) => place, endOf: (place) => place + 1 };
  keepUntil(text.length);
  return { plain, startOf: (place) => starts[place] ?? text.length, endOf: (place) => ends[place] ?? text.length };
}

function meantBy(escape: string): string {
  const letter = escape.charAt(1);
  if (letter !== "u") return ESCAPES[letter] ?? letter;
  return String.fromCharCode(
    ...escape
      .split("\\u")
      .slice(1)
      .map((hex) => Number.parseInt(hex, 16)),
  );
}

// The digits of a script follow each other from its zero on, ten by ten.
function plainForm(character: string): string {
  return character.normalize("NFKC").replace(OTHER_DIGIT, (digit) => {
    const code = digit.codePointAt(0) ?? 0;
    let before = 0;
    while (DIGIT.test(String.fromCodePoint(code - before - 1))) before += 1;
    return String(before % 10);
  });
}
