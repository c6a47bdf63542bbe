import { z } from "@hono/zod-openapi";

const EARLIEST_MS = Date.UTC(1970, 0, 1);
/** Decimals of a second that Postgres keeps. */
const DECIMALS = 6;

/** A moment in a query: RFC 3339 with an offset or Z. It comes out in UTC with all the digits Postgres keeps. */
export const momentSchema = z.iso
  .datetime({ offset: true, message: "must be a time such as 2026-11-21T10:00:00Z" })
  .max(40)
  .refine((text) => !(Date.parse(text) < EARLIEST_MS), "must not lie before 1970")
  .transform(inUtc)
  .openapi({ type: "string", format: "date-time" });

// A Date keeps milliseconds only; the digits after them are carried over as text.
function inUtc(text: string): string {
  const date = new Date(text).toISOString();
  const digits = /\.(\d+)/.exec(text)?.[1] ?? "";
  return digits.length <= 3 ? date : `${date.slice(0, -1)}${digits.slice(3, DECIMALS)}Z`;
}
