/** How a secret was written where it was found. */
export type Spelling = "plain" | "spaced" | "dashed" | "base64" | "hex";

/** Looks for one secret in any of its spellings. It never gives the secret back. */
export interface Finder {
  /** The spelling that the text or the bytes hold first, or undefined. */
  find(content: string | Uint8Array): Spelling | undefined;
  /** The secret as a regular expression, which Postgres and JavaScript read alike: Postgres searches its tables itself. */
  readonly pattern: string;
  /** The longest text that can match, in characters: what two pieces of one stream must overlap by. */
  readonly maxLength: number;
  /** A name with the secret masked, for a report: a key's own name may hold the secret. */
  mask(name: string): string;
}

/** How many separators may stand between two digits of a number. */
const MAX_SEPARATORS = 3;

/** A finder of a number: its digits with spaces, dashes or `%20` between them, and its base64 and hex spellings. */
export function createNumberFinder(number: string): Finder {
  const digits = number.replaceAll(/\D/g, "");
  const groups = digits.match(/.{1,4}/g) ?? [];
  const spellings = [digits, groups.join(" "), groups.join("-")];
  const grouped = Array.from(digits).join(`(?:[-\\s]|%20){0,${MAX_SEPARATORS}}`);
  return createFinder(grouped, spellings, digits.length * (1 + MAX_SEPARATORS * 3));
}

/** A finder of any text: verbatim, and in its base64 and hex spellings. */
export function createTextFinder(text: string): Finder {
  return createFinder(escaped(text), [text], text.length);
}

function createFinder(written: string, spellings: readonly string[], writtenLength: number): Finder {
  const base64 = spellings.flatMap(base64Cores);
  const hex = spellings.map((spelling) => Buffer.from(spelling).toString("hex"));
  const pattern = [written, ...base64.map(escaped), ...hex.flatMap((text) => [text, text.toUpperCase()])].join("|");
  const expression = new RegExp(pattern);
  const encoded = new Set([...hex, ...hex.map((text) => text.toUpperCase())]);
  return {
    pattern,
    maxLength: Math.max(writtenLength, ...base64.map((text) => text.length), ...hex.map((text) => text.length)),
    find(content) {
      // Each byte is read as one character: the spellings are ASCII, whatever the bytes around them are.
      const text =
        typeof content === "string" ? content : Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString("latin1");
      const [match] = expression.exec(text) ?? [];
      if (match === undefined) return undefined;
      if (base64.includes(match)) return "base64";
      if (encoded.has(match)) return "hex";
      if (spellings[0] === match) return "plain";
      return match.includes("-") ? "dashed" : "spaced";
    },
    mask: (name) => name.replaceAll(new RegExp(pattern, "g"), "****"),
  };
}

// Inside a larger text in base64 the secret begins at one of three offsets of a group of three bytes. The characters that also encode
// neighbouring bytes are left out.
function base64Cores(text: string): string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replaceAll("=", "");
    const from = shift === 0 ? 0 : shift + 1;
    const whole = (shift + bytes.length) % 3 === 0;
    return encoded.slice(from, whole ? undefined : -1);
  });
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}
