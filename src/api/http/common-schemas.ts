import { z } from "@hono/zod-openapi";
import { maskApiKeys } from "../../base/api-key-form.ts";
import { isErrorCode, type ErrorCode } from "../../base/errors.ts";
import { isRawNumber, type RawNumber } from "../../base/raw-json.ts";
import { idProblem, MAX_ID_LENGTH, MAX_USER_ID_LENGTH } from "../../contract/id-rule.ts";
import { looksLikeCardNumber } from "../../domain/cards/card.ts";

const CONTROL = /\p{Cc}/u;
const CARD_DATA: { readonly code: ErrorCode } = { code: "CARD_DATA_REFUSED" };

const textOrNumber = z.custom<string | RawNumber>(
  (value) => typeof value === "string" || isRawNumber(value),
  "must be text or a whole number",
);

// A number is taken as its digits; one above 2^53 - 1, which other readers would round, is refused.
const idInBody = (maxLength: number) =>
  textOrNumber
    .transform((value, context) => {
      const text = typeof value === "string" ? value : value.raw;
      const problem =
        typeof value === "string" || isSafeId(text)
          ? idProblem(text, maxLength)
          : "must be a whole number from 0 to 9007199254740991, or text";
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
      return text;
    })
    .openapi({
      type: ["string", "integer"],
      minLength: 1,
      maxLength,
      description: `Opaque text of 1 to ${maxLength} characters; a whole number is taken as its digits.`,
    });

const idInAddress = (maxLength: number) =>
  z
    .string()
    .superRefine((text, context) => {
      const problem = idProblem(text, maxLength);
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
    })
    .openapi({ minLength: 1, maxLength });

/** The id of a service, an order or a reservation in a body. */
export const idSchema = idInBody(MAX_ID_LENGTH);

/** The same in a path or a query. */
export const idTextSchema = idInAddress(MAX_ID_LENGTH);

/** The id of a user in a body: whatever a token's `sub` may be. */
export const userIdSchema = idInBody(MAX_USER_ID_LENGTH);

/** The same in a path or a query. */
export const userIdTextSchema = idInAddress(MAX_USER_ID_LENGTH);

/** An amount in a body, as its digits. What they mean depends on the currency: `readAmount` reads them. */
export const amountSchema = z
  .custom<string | RawNumber>(
    (value) => typeof value === "string" || isRawNumber(value),
    "must be a decimal such as 100.50, as text or as a number",
  )
  .transform((value) => (typeof value === "string" ? value : value.raw))
  .openapi({
    type: ["string", "number"],
    example: "100.50",
    description:
      "Above zero, with at most the currency's decimals. Numbers are read by their digits, never through a float; without exponent.",
  });

/** An amount in an answer. */
export const decimalSchema = z.string().openapi({ example: "100.50", description: "Exactly the currency's decimals." });

export const currencySchema = z.string().openapi({ example: "RUB", description: "ISO 4217, or PTS for loyalty points." });

/** A body of JSON, of a request or an answer, as a route declares it. */
export function jsonOf<Schema extends z.ZodType>(schema: Schema) {
  return { content: { "application/json": { schema } } };
}

/** The code that a schema gives its issue (`params.code`), where INVALID_REQUEST would tell too little. */
export function codeOfIssue(issue: z.core.$ZodIssue): ErrorCode | undefined {
  const code: unknown = issue.code === "custom" ? issue.params?.["code"] : undefined;
  return isErrorCode(code) ? code : undefined;
}

/** Free text that is kept. What looks like a card number in it is answered with CARD_DATA_REFUSED: nothing of a card may be kept. */
export function keptText(maxLength: number) {
  return z
    .string()
    .max(maxLength, `must have at most ${maxLength} characters`)
    .refine((text) => !CONTROL.test(text), "must not have control characters")
    .refine((text) => maskApiKeys(text) === text, "must not hold an API key")
    .refine((text) => !looksLikeCardNumber(text), { message: "holds what looks like a card number", params: CARD_DATA });
}

export const commentSchema = keptText(500).openapi({ description: "Where from and what for, in words." });

/** A whole number in a body. */
export function wholeNumber(min: number, max: number) {
  return z
    .custom<RawNumber>(
      (value) => isRawNumber(value) && /^\d{1,15}$/.test(value.raw) && Number(value.raw) >= min && Number(value.raw) <= max,
      `must be a whole number from ${min} to ${max}`,
    )
    .transform((value) => Number(value.raw))
    .openapi({ type: "integer", minimum: min, maximum: max });
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 100;

/** How many rows a page has, from a query. */
export const limitSchema = z
  .string()
  .refine((text) => /^[1-9]\d{0,2}$/.test(text) && Number(text) <= MAX_LIMIT, `must be a whole number from 1 to ${MAX_LIMIT}`)
  .transform(Number)
  .default(DEFAULT_LIMIT)
  .openapi({ type: "integer", minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT });

/** A cursor may hold the ids of a user, a service and an order, whose characters have up to four bytes. */
const MAX_CURSOR_LENGTH = 4_096;

export const cursorSchema = z.string().max(MAX_CURSOR_LENGTH).openapi({ description: "`nextCursor` of the page before." });

export const nextCursorSchema = z.string().optional().openapi({ description: "Absent on the last page." });

/** A time in an answer: ISO 8601, UTC. */
export const timeSchema = z.string().openapi({ format: "date-time" });

export const linksSchema = z.object({ self: z.string() }).openapi({ description: "Paths on this API." });

function isSafeId(raw: string): boolean {
  return /^(?:0|[1-9]\d*)$/.test(raw) && Number.isSafeInteger(Number(raw));
}
