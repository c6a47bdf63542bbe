import { z } from "@hono/zod-openapi";
import { isRawNumber, type RawNumber } from "../../base/raw-json.ts";
import { UNASSIGNED_SERVICE } from "../../domain/ledger/operations.ts";
import { amountSchema, idSchema, userIdSchema as userIdField } from "../http/common-schemas.ts";

export const userIdSchema = z.object({ id: userIdField });

export const serviceIdSchema = z.object({ id: idSchema });

export const creditSchema = z.object({ id: userIdField, amount: amountSchema });

export const tripleSchema = z.object({ user_id: userIdField, service_id: idSchema, order_id: idSchema });

export const tripleWithAmountSchema = tripleSchema.extend({ amount: amountSchema });

/** A whole number of a body, or its digits where a query or a path gave it. */
function wholeNumber(minimum: number, maximum: number, message: string, form = /^\d{1,6}$/) {
  return z
    .custom<string | RawNumber>((value) => {
      const text = isRawNumber(value) ? value.raw : value;
      return typeof text === "string" && form.test(text) && Number(text) >= minimum && Number(text) <= maximum;
    }, message)
    .transform((value) => Number(isRawNumber(value) ? value.raw : value))
    .openapi({ type: "integer", minimum, maximum });
}

/** Any number is taken for a month here: `monthText` refuses those outside 1 to 12, in the earlier service's words. */
export const monthSchema = z.object({
  year: wholeNumber(0, 9_999, "must be a year", /^(?:0|[1-9]\d{0,3})$/),
  month: wholeNumber(0, 999_999, "must be a number"),
});

/** The length of the earlier service's column. */
const MAX_NAME_LENGTH = 255;

const serviceSchema = z.object({
  id: idSchema.refine((id) => id !== UNASSIGNED_SERVICE, "is the name under which revenue without a service stands"),
  name: z
    .string()
    .min(1, "must not be empty")
    .max(MAX_NAME_LENGTH, `must have at most ${MAX_NAME_LENGTH} characters`)
    .refine((name) => !/\p{Cc}/u.test(name), "must not have control characters"),
});

/** The list as the earlier service read it, `{"services": [...]}`, and as its document wrongly described it, a bare array. */
export const servicesSchema = z
  .preprocess(
    (body) => (Array.isArray(body) ? { services: body } : body),
    z.object({ services: z.array(serviceSchema).min(1, "must name at least one") }),
  )
  .superRefine(({ services }, context) => {
    for (const field of ["id", "name"] as const) {
      const seen = new Set<string>();
      for (const [place, service] of services.entries()) {
        if (seen.has(service[field]))
          context.addIssue({ code: "custom", path: ["services", place, field], message: "stands in the list before" });
        seen.add(service[field]);
      }
    }
  });

/** A number whose digits are exact: it has at most the currency's decimals. */
const amountNumberSchema = z.number().openapi({ description: "In whole units of the default currency, such as 100.5." });
const shownIdSchema = z
  .union([z.number().int(), z.string()])
  .openapi({ description: "A number where it was one that every reader gets right, else text." });

export const okSchema = z.literal("OK");
export const balanceSchema = z.object({ balance: amountNumberSchema });
export const shownServiceSchema = z.object({ id: shownIdSchema, name: z.string() });
export const shownReserveSchema = z.object({
  order_id: shownIdSchema,
  user: z.object({ id: shownIdSchema, balance: amountNumberSchema }),
  service: shownServiceSchema,
  amount: amountNumberSchema,
  purchased: z.boolean(),
  reserved_at: z.string().openapi({ format: "date-time" }),
  purchased_at: z.string().optional().openapi({ format: "date-time" }),
});
export const reportLinkSchema = z.object({ report_link: z.string() });
