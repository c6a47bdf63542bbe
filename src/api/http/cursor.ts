import { DomainError } from "../../base/errors.ts";

/** What a part of a cursor must look like. Every regular expression is a Shape. */
export interface Shape {
  test(text: string): boolean;
}

/** The place after which a page begins, as text that only the same list understands. */
export function encodeCursor(list: string, position: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...position])).toString("base64url");
}

/** The place that a cursor holds, part by part. Throws: INVALID_CURSOR when the text was not made by this list, or its parts do not look as `shapes` says. */
export function decodeCursor(list: string, cursor: string, shapes: readonly Shape[]): string[] {
  const [name, ...position] = parseParts(cursor);
  const fits = position.length === shapes.length && shapes.every((shape, place) => shape.test(position[place] ?? ""));
  // Node decodes base64url past characters that are none: only the very text that was made here counts.
  if (name !== list || !fits || cursor !== encodeCursor(list, position))
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

const TIME = /^(\d{4})-(\d\d)-(\d\d) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?[+-](0\d|1[0-5])(:[0-5]\d){0,2}$/;

/** A time as Postgres writes it, with microseconds. It must be in the calendar, as Postgres fails on one that is not. */
export const TIME_SHAPE: Shape = {
  test(text) {
    const [, year = "", month = "", day = ""] = TIME.exec(text) ?? [];
    const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
    return Number(year) > 0 && date.getUTCMonth() + 1 === Number(month) && date.getUTCDate() === Number(day);
  },
};
/** An id that Postgres counts up: an operation's, a dead letter's, a delivery's. Eighteen digits always fit its bigint. */
export const SERIAL_ID_SHAPE = /^[1-9]\d{0,17}$/;
/** An id: 1 to 64 characters without control characters. */
export const ID_SHAPE = /^\P{Cc}{1,64}$/u;
