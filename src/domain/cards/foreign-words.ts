import { maskDigits } from "./card.ts";

const MAX_CHARACTERS = 200;
/** Control and format characters (also those that turn the direction of the text), line separators, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;

/** Words of another service as they may be kept and shown: on one line, without what does not print, without card numbers, 200 characters. */
export function foreignWords(text: string): string {
  // Before the masking: taking characters out may bring digits together.
  const words = text.replaceAll(UNPRINTABLE, " ");
  return Array.from(maskDigits(words)).slice(0, MAX_CHARACTERS).join("").trim();
}
