import { createRoute, z } from "@hono/zod-openapi";
import {
  amountSchema,
  currencySchema,
  cursorSchema,
  decimalSchema,
  idTextSchema,
  limitSchema,
  linksSchema,
  timeSchema,
  userIdSchema,
  userIdTextSchema,
} from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";
import { timeTextSchema } from "../http/moment-schema.ts";
import { preferHeader } from "../http/prefer.ts";

const CONTROL = /\p{Cc}/u;
const text = (maxLength: number) =>
  z
    .string()
    .min(1, "must not be empty")
    .max(maxLength, `must have at most ${maxLength} characters`)
    .refine((value) => !CONTROL.test(value), "must not have control characters");

const CARD_FIELDS = ["card_holder_name", "card_number", "card_expiry", "card_cvc", "billing_address"] as const;
/** The fields without which a card cannot be charged. */
const NEEDED_OF_A_CARD = ["card_holder_name", "card_number", "card_expiry", "card_cvc"] as const;

const purchaseBodySchema = z
  .strictObject({
    user_id: userIdSchema,
    username: text(255),
    amount: amountSchema,
    currency: currencySchema,
    payment_method: z
      .enum(["wallet", "credit_card", "debit_card"], "must be wallet, credit_card or debit_card")
      .openapi({ description: "`wallet` debits the user's balance; a card is charged at the payment provider." }),
    card_holder_name: text(255).optional(),
    card_number: text(64).optional().openapi({ description: "Goes to the payment provider's vault and is never kept. Cards only." }),
    card_expiry: text(16)
      .optional()
      .openapi({ example: "12/29", description: "MM/YY; not past on the day of the transaction. Cards only." }),
    card_cvc: text(16).optional().openapi({ description: "Never kept. Cards only." }),
    billing_address: text(500).optional().openapi({ description: "Not kept." }),
    transaction_date: timeTextSchema.openapi({
      type: "string",
      format: "date-time",
      description: "RFC 3339; from 1990 on, and not more than a day ahead.",
    }),
  })
  .superRefine((body, context) => {
    if (body.payment_method === "wallet")
      for (const field of CARD_FIELDS.filter((name) => name !== "billing_address" && body[name] !== undefined))
        context.addIssue({ code: "custom", path: [field], message: "does not belong to a payment by wallet" });
    else
      for (const field of NEEDED_OF_A_CARD.filter((name) => body[name] === undefined))
        context.addIssue({ code: "custom", path: [field], message: "is needed to pay by card" });
  })
  .openapi("NewPurchase");

export type PurchaseBody = z.infer<typeof purchaseBodySchema>;

const facts = {
  purchase_id: z.string(),
  user_id: z.string(),
  amount: decimalSchema,
  currency: z.string(),
  paid_by: z.enum(["wallet", "card"]),
  transaction_date: timeSchema,
  recorded_at: timeSchema,
};

const purchaseMadeSchema = z
  .object({
    ...facts,
    status: z.literal("completed"),
    username: z.string(),
    payment_method: z.string(),
    card: z.object({ brand: z.string(), last4: z.string() }).optional().openapi({ description: "All that is known of the card." }),
  })
  .openapi("PurchaseMade");

const purchaseAcceptedSchema = z
  .object({ status: z.literal("pending"), order_id: z.string(), links: linksSchema })
  .openapi("PurchaseAccepted", {
    description: "The order that pays for the purchase still runs; ask at `links.self`, or repeat with the key.",
  });

const purchaseSchema = z
  .object({
    ...facts,
    status: z.enum(["completed", "refused"]),
    refusal_code: z.string().optional(),
    source: z.enum(["http", "kafka"]),
    service_id: z.string(),
    username: z.string().optional().openapi({ description: "As the purchase said it; absent where an event said none." }),
    comment: z.string(),
  })
  .openapi("Purchase");

const purchaseListSchema = z
  .object({ purchases: z.array(purchaseSchema), next_cursor: z.string().optional().openapi({ description: "Absent on the last page." }) })
  .openapi("PurchaseList");

/** Whose purchases are listed: what a cursor keeps. */
export const purchaseFiltersSchema = z.strictObject({ user_id: userIdTextSchema });

const purchaseQuerySchema = z
  .strictObject({ user_id: userIdTextSchema.optional(), limit: limitSchema, cursor: cursorSchema.optional() })
  .refine(({ user_id: userId, cursor }) => userId !== undefined || cursor !== undefined, { path: ["user_id"], message: "must be given" });

export const createPurchaseRoute = createRoute({
  method: "post",
  path: "/api/v1/purchases",
  operationId: "createPurchase",
  tags: ["purchases"],
  summary: "Make a purchase, paid by wallet or by card",
  description:
    "With an Idempotency-Key a repeat is the same purchase and answers the same. Without one each request is a purchase of its own. " +
    "A purchase by card is paid by an order of its own: what the provider has taken is booked or given back, whatever fails meanwhile. " +
    "Its outcome is waited for as long as `Prefer: wait=n` says. Of a card only its brand and last four digits are kept.",
  request: {
    headers: idempotencyHeader.partial().extend(preferHeader),
    body: { required: true, content: { "application/json": { schema: purchaseBodySchema } } },
  },
  responses: {
    201: { description: "The purchase is paid.", content: { "application/json": { schema: purchaseMadeSchema } } },
    202: {
      description: "By card only: the purchase is not decided yet.",
      content: { "application/json": { schema: purchaseAcceptedSchema } },
    },
  },
});

export const readPurchaseRoute = createRoute({
  method: "get",
  path: "/api/v1/purchases/{purchaseId}",
  operationId: "getPurchase",
  tags: ["purchases"],
  summary: "One purchase, from HTTP or Kafka",
  request: { params: z.object({ purchaseId: idTextSchema }) },
  responses: { 200: { description: "The purchase.", content: { "application/json": { schema: purchaseSchema } } } },
});

export const listPurchasesRoute = createRoute({
  method: "get",
  path: "/api/v1/purchases",
  operationId: "listPurchases",
  tags: ["purchases"],
  summary: "A user's purchases, from HTTP and Kafka, newest first, page by page",
  description: "The cursor keeps the user: the next page needs only the cursor.",
  request: { query: purchaseQuerySchema },
  responses: { 200: { description: "A page.", content: { "application/json": { schema: purchaseListSchema } } } },
});
