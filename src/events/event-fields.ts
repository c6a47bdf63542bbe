import { z } from "zod";
import { INSTANT_WORDS, instantMs } from "../base/instant.ts";
import { isCurrency } from "../base/money.ts";
import { idProblem, MAX_ID_LENGTH, MAX_USER_ID_LENGTH } from "../contract/id-rule.ts";

const MAX_EVENT_ID_LENGTH = 200;
const MAX_COMMENT_LENGTH = 500;

// Postgres text cannot hold NUL, and a lone surrogate would be stored as another character.
const storable = (text: string) => !text.includes("\0") && !/\p{Surrogate}/u.test(text);

// The lengths stand in the schema for producers; `idProblem` judges, which counts a character beyond U+FFFF once, as they do.
const idText = (maxLength: number) =>
  z
    .string()
    .superRefine((text, context) => {
      const problem = storable(text) ? idProblem(text, maxLength) : "must be well-formed text";
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
    })
    .meta({ minLength: 1, maxLength });
const identifier = (maxLength: number) => z.union([idText(maxLength), z.int().nonnegative()]).transform(String);

/** A whole number, written in digits. */
export const wholeField = (min: number, max: number) =>
  z.int(`must be a whole number from ${min} to ${max}, in digits`).min(min, `must be at least ${min}`).max(max, `must be at most ${max}`);

/** A field that may be left out or be null. */
export const optional = <Schema extends z.ZodType>(schema: Schema) => schema.nullish().transform((value) => value ?? undefined);

/** Text that Postgres can hold as it is. */
export const storableText = (maxLength: number) =>
  z.string().min(1).max(maxLength).refine(storable, "must be well-formed text without NUL");

/** The id of a service, an order or a saga; a whole number is taken as its digits. */
export const subjectId = identifier(MAX_ID_LENGTH);
/** The id of a user, which may be longer: whatever a token's `sub` may be. */
export const userIdField = identifier(MAX_USER_ID_LENGTH);
/** The id of an event, which may be longer. */
export const ownId = identifier(MAX_EVENT_ID_LENGTH);
/** An amount keeps its digits as they are written: see event-reading.ts. */
export const amountField = z.union([z.string(), z.number()]);
export const currencyField = z.string().refine(isCurrency, "is not a known currency").describe("ISO 4217 code, or PTS for loyalty points.");
/** A moment in milliseconds: its text is read once. */
export const momentField = z
  .string()
  .meta({ format: "date-time", description: "RFC 3339, with an offset or Z." })
  .transform((text, context) => {
    const ms = instantMs(text);
    if (ms !== undefined) return ms;
    context.addIssue({ code: "custom", message: INSTANT_WORDS });
    return z.NEVER;
  });
export const versionField = optional(z.union([z.literal(1), z.literal("1")])).describe("This is version 1.");
export const commentField = optional(storableText(MAX_COMMENT_LENGTH)).describe("Where from and what for, in words.");
