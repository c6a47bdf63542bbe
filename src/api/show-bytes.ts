import { maskDigits } from "../domain/card.ts";

/** Bytes as they are shown to a person. */
export interface ShownBytes {
  readonly encoding: "utf-8" | "base64";
  readonly text: string;
  readonly truncated: boolean;
  readonly masked: boolean;
}

/** What may be the first half of a card number at the end of what is shown. */
const CUT_NUMBER = /\d[\d\s\p{Pd}]{0,40}$/u;

/** Bytes as text, or in base64 when they are no UTF-8; what looks like a card number in either is cut to its last four digits. */
export function showBytes(bytes: Buffer, truncated: boolean): ShownBytes {
  const text = asUtf8(bytes, truncated);
  const read = text ?? bytes.toString("latin1");
  const whole = truncated ? read.replace(CUT_NUMBER, "") : read;
  const masked = maskDigits(whole);
  const shown = { truncated, masked: masked !== whole };
  return text === undefined
    ? { encoding: "base64", text: Buffer.from(masked, "latin1").toString("base64"), ...shown }
    : { encoding: "utf-8", text: masked, ...shown };
}

function asUtf8(bytes: Buffer, truncated: boolean): string | undefined {
  try {
    // A character that the cut went through is left out.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: truncated });
  } catch {
    return undefined;
  }
}
