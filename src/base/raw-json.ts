import { DomainError } from "./errors.ts";

const RAW_NUMBER = Symbol("number as written");

/** A JSON number as it was written, digit by digit: a float is never made of it. */
export interface RawNumber {
  readonly [RAW_NUMBER]: true;
  readonly raw: string;
}

export const MAX_JSON_DEPTH = 32;
/** Members of objects and elements of arrays of one text, together. */
export const MAX_JSON_MEMBERS = 10_000;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WHOLE = /^(?:0|[1-9]\d{0,15})$/;
const FOUR_HEX = /[0-9a-fA-F]{4}/y;
const LONE_SURROGATE = /\p{Surrogate}/u;
const FORBIDDEN_NAMES = new Set(["__proto__", "constructor", "prototype"]);
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** A number by its text, for values that do not come from JSON. */
export function rawNumber(raw: string): RawNumber {
  return { [RAW_NUMBER]: true, raw };
}

/**
 * The whole number from 0 that a text of digits is, exactly; undefined for any other text: `7.0` and `1e2` too, whose value only a float would
 * tell, and digits beyond the last number that every JSON reader holds (2^53 - 1).
 */
export function exactWholeNumber(raw: string): number | undefined {
  const value = WHOLE.test(raw) ? Number(raw) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** True for a number that `parseJsonKeepingNumbers` read. No JSON text can fake one. */
export function isRawNumber(value: unknown): value is RawNumber {
  return typeof value === "object" && value !== null && RAW_NUMBER in value;
}

/**
 * Reads JSON text strictly (RFC 8259). Numbers come out as `RawNumber`, all else as plain values.
 * Work and memory are bounded by the limits above, and a text that two readers could understand in two ways is refused.
 * Throws: MALFORMED_JSON when it is not JSON; INVALID_REQUEST for a name that stands twice in an object, a name such as
 * `__proto__`, a text with NUL or half of a surrogate pair, or a text that is deeper or larger than the limits.
 */
export function parseJsonKeepingNumbers(text: string): unknown {
  if (LONE_SURROGATE.test(text)) throw new DomainError("INVALID_REQUEST", "the text holds half of a surrogate pair");
  const reader: Reader = { text, at: 0, members: 0 };
  skipSpace(reader);
  const value = readValue(reader, 0);
  skipSpace(reader);
  if (reader.at < text.length) throw malformed(reader);
  return value;
}

interface Reader {
  readonly text: string;
  at: number;
  members: number;
}

function malformed({ text, at }: Reader): DomainError {
  return new DomainError(
    "MALFORMED_JSON",
    at >= text.length ? "the JSON text ends too early" : `the JSON text is broken at character ${at + 1}`,
  );
}

function skipSpace(reader: Reader): void {
  for (;;) {
    const code = reader.text.charCodeAt(reader.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    reader.at += 1;
  }
}

function readValue(reader: Reader, depth: number): unknown {
  const mark = reader.text[reader.at];
  switch (mark) {
    case '"':
      return readString(reader);
    case "{":
      return readObject(reader, depth + 1);
    case "[":
      return readArray(reader, depth + 1);
    case "t":
      return readWord(reader, "true", true);
    case "f":
      return readWord(reader, "false", false);
    case "n":
      return readWord(reader, "null", null);
    case undefined:
    default:
      return readNumber(reader);
  }
}

function readWord<Value>(reader: Reader, word: string, value: Value): Value {
  if (!reader.text.startsWith(word, reader.at)) throw malformed(reader);
  reader.at += word.length;
  return value;
}

function readNumber(reader: Reader): RawNumber {
  NUMBER.lastIndex = reader.at;
  const [raw] = NUMBER.exec(reader.text) ?? [];
  if (raw === undefined) throw malformed(reader);
  reader.at += raw.length;
  return rawNumber(raw);
}

function readObject(reader: Reader, depth: number): Record<string, unknown> {
  checkDepth(depth);
  const object: Record<string, unknown> = {};
  reader.at += 1;
  skipSpace(reader);
  if (takes(reader, "}")) return object;
  for (;;) {
    if (reader.text[reader.at] !== '"') throw malformed(reader);
    const name = readString(reader);
    countMember(reader);
    if (FORBIDDEN_NAMES.has(name)) throw new DomainError("INVALID_REQUEST", `the name ${name} is not taken`);
    if (Object.hasOwn(object, name))
      throw new DomainError("INVALID_REQUEST", `the name ${JSON.stringify(name.slice(0, 64))} stands twice in one object`);
    skipSpace(reader);
    if (!takes(reader, ":")) throw malformed(reader);
    skipSpace(reader);
    object[name] = readValue(reader, depth);
    skipSpace(reader);
    if (takes(reader, "}")) return object;
    if (!takes(reader, ",")) throw malformed(reader);
    skipSpace(reader);
  }
}

function readArray(reader: Reader, depth: number): unknown[] {
  checkDepth(depth);
  const array: unknown[] = [];
  reader.at += 1;
  skipSpace(reader);
  if (takes(reader, "]")) return array;
  for (;;) {
    countMember(reader);
    array.push(readValue(reader, depth));
    skipSpace(reader);
    if (takes(reader, "]")) return array;
    if (!takes(reader, ",")) throw malformed(reader);
    skipSpace(reader);
  }
}

function takes(reader: Reader, mark: string): boolean {
  if (reader.text[reader.at] !== mark) return false;
  reader.at += 1;
  return true;
}

function checkDepth(depth: number): void {
  if (depth > MAX_JSON_DEPTH) throw new DomainError("INVALID_REQUEST", `the JSON is nested deeper than ${MAX_JSON_DEPTH}`);
}

function countMember(reader: Reader): void {
  reader.members += 1;
  if (reader.members > MAX_JSON_MEMBERS) throw new DomainError("INVALID_REQUEST", `the JSON has more than ${MAX_JSON_MEMBERS} members`);
}

function readString(reader: Reader): string {
  const { text } = reader;
  reader.at += 1;
  let from = reader.at;
  let value = "";
  let escaped = false;
  for (;;) {
    const code = text.charCodeAt(reader.at);
    if (code === 0x22) break;
    // NaN is the end of the text; a control character may only stand as an escape.
    if (Number.isNaN(code) || code < 0x20) throw malformed(reader);
    if (code === 0x5c) {
      value += text.slice(from, reader.at) + readEscape(reader);
      from = reader.at;
      escaped = true;
    } else reader.at += 1;
  }
  value += text.slice(from, reader.at);
  reader.at += 1;
  if (escaped && value.includes("\0")) throw new DomainError("INVALID_REQUEST", "a text holds the character NUL");
  if (escaped && LONE_SURROGATE.test(value)) throw new DomainError("INVALID_REQUEST", "a text holds half of a surrogate pair");
  return value;
}

function readEscape(reader: Reader): string {
  const mark = reader.text[reader.at + 1];
  if (mark === "u") {
    FOUR_HEX.lastIndex = reader.at + 2;
    const [digits] = FOUR_HEX.exec(reader.text) ?? [];
    if (digits === undefined) throw malformed(reader);
    reader.at += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
  const character = mark === undefined || !Object.hasOwn(ESCAPES, mark) ? undefined : ESCAPES[mark];
  if (character === undefined) throw malformed(reader);
  reader.at += 2;
  return character;
}
