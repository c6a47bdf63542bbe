import { createHash } from "node:crypto";

/** A hash of what was asked, as hex, so that another request under the same key is found out. Amounts may be bigint: they count as their text. */
export function hashOf(content: readonly unknown[]): string {
  const text = JSON.stringify(content, (_name, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
  return createHash("sha256").update(text).digest("hex");
}

/** A UUID made of a text: version 8 of RFC 9562, whose bits are the maker's own. Equal texts give equal ids. */
export function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
