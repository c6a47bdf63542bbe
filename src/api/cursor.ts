import { DomainError } from "../errors.ts";

/** The place after which a page begins, as text that only the same list understands. */
export function encodeCursor(list: string, position: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...position])).toString("base64url");
}

/** Throws: INVALID_CURSOR when the text was not made by this list, or its parts do not look as `shapes` says. */
export function decodeCursor(list: string, cursor: string, shapes: readonly RegExp[]): string[] {
  const [name, ...position] = parseParts(cursor);
  if (name !== list || position.length !== shapes.length || !shapes.every((shape, place) => shape.test(position[place] ?? "")))
    throw new DomainError("INVALID_CURSOR", undefined, { pointer: "cursor" });
  return position;
}

function parseParts(cursor: string): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    return Array.isArray(parts) && parts.every((part) => typeof part === "string") ? parts : [];
  } catch {
    return [];
  }
}

/** A time as Postgres writes it, with microseconds. */
export const TIME_SHAPE = /^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d){0,2}$/;
/** An id: 1 to 64 characters without control characters. */
export const ID_SHAPE = /^\P{Cc}{1,64}$/u;
