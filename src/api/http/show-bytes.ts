import { maskDigits, withoutCutNumber } from "../../domain/cards/card.ts";

/** Bytes as they are shown to a person. */
export interface ShownBytes {
  readonly encoding: "utf-8" | "base64";
  readonly text: string;
  readonly truncated: boolean;
  readonly masked: boolean;
}

/** A way to read bytes, and to write again what was read. */
interface Reading {
  readonly read: (bytes: Buffer) => string;
  readonly write: (text: string) => Buffer;
}

const UTF_8: Reading = { read: (bytes) => bytes.toString("utf8"), write: (text) => Buffer.from(text, "utf8") };
const ONE_BYTE: Reading = { read: (bytes) => bytes.toString("latin1"), write: (text) => Buffer.from(text, "latin1") };
const UTF_16: Reading = { read: (bytes) => bytes.toString("utf16le"), write: (text) => Buffer.from(text, "utf16le") };
const UTF_16_BE: Reading = { read: (bytes) => UTF_16.read(swapped(bytes)), write: (text) => swapped(UTF_16.write(text)) };

/**
 * Bytes as text, or in base64 when they are no UTF-8. What looks like a card number is cut to its last four digits in every encoding
 * that the bytes may have: also where only parts are UTF-8, and in UTF-16. Truncated bytes may end inside a card number: its digits are
 * left out.
 */
export function showBytes(bytes: Buffer, truncated: boolean): ShownBytes {
  const isText = asUtf8(bytes, truncated) !== undefined;
  const readings = [
    // Before the other readings: a card number of UTF-16 that is masked byte by byte leaves text that is no UTF-16 any more.
    ...(bytes.includes(0) ? [UTF_16, UTF_16_BE] : []),
    ...(isText ? [{ ...UTF_8, read: (text: Buffer) => asUtf8(text, truncated) ?? text.toString("utf8") }] : [ONE_BYTE, UTF_8]),
  ];
  let shown = bytes;
  let masked = false;
  for (const { read, write } of readings) {
    const found = read(shown);
    const text = maskDigits(found);
    masked ||= text !== found;
    const kept = truncated ? withoutCutNumber(text) : text;
    if (kept !== found) shown = write(kept);
  }
  const text = isText ? asUtf8(shown, truncated) : undefined;
  return text === undefined
    ? { encoding: "base64", text: shown.toString("base64"), truncated, masked }
    : { encoding: "utf-8", text, truncated, masked };
}

function swapped(bytes: Buffer): Buffer {
  return Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2))).swap16();
}

function asUtf8(bytes: Buffer, truncated: boolean): string | undefined {
  try {
    // With `stream` a character that was cut in the middle is left out.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: truncated });
  } catch {
    return undefined;
  }
}
