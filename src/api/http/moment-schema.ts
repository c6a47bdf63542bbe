import { z } from "@hono/zod-openapi";
import { INSTANT_WORDS, instantMs } from "../../base/instant.ts";

const EARLIEST_MS = Date.UTC(1970, 0, 1);
/** Decimals of a second that Postgres keeps. */
const DECIMALS = 6;

/** A time of a body or a query as it was written: RFC 3339. */
export const timeTextSchema = z
  .string()
  .max(40)
  .refine((text) => instantMs(text) !== undefined, INSTANT_WORDS);

/** A moment in a query: RFC 3339 with an offset or Z. It comes out in UTC with all the digits Postgres keeps. */
export const momentSchema = timeTextSchema
  .refine((text) => !((instantMs(text) ?? 0) < EARLIEST_MS), "must not lie before 1970")
  .transform(inUtc)
  .openapi({ type: "string", format: "date-time" });

// A Date keeps milliseconds only; the digits after them are carried over as text. What is no instant was refused above, and stays as it is.
function inUtc(text: string): string {
  const ms = instantMs(text);
  if (ms === undefined) return text;
  const date = new Date(ms).toISOString();
  const digits = /\.(\d+)/.exec(text)?.[1] ?? "";
  return digits.length <= 3 ? date : `${date.slice(0, -1)}${digits.slice(3, DECIMALS)}Z`;
}
