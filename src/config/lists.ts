import { isIP } from "node:net";
import { z } from "zod";

/** The parts of a list, without the blanks around them and without empty ones. */
export function partsOf(text: string, separator: string | RegExp = ","): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

const listOf = (isMember: (text: string) => boolean, message: string) =>
  z
    .string()
    .default("")
    .transform((text) => partsOf(text))
    .refine((parts) => parts.every(isMember), message);

/** Addresses and ranges of them, such as `10.0.0.0/8,192.168.1.7`; an empty list without it. */
export const addressRanges = listOf(isAddressRange, "must be addresses or ranges such as 10.0.0.0/8, with commas between");
/** Origins of pages, such as `https://shop.example`; an empty list without it. */
export const origins = listOf(isOrigin, "must be origins such as https://shop.example, with commas between");

function isAddressRange(text: string): boolean {
  const [address = "", bits] = text.split("/");
  const family = isIP(address);
  return family !== 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)));
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}
