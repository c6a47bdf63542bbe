import { createRoute, z } from "@hono/zod-openapi";
import { OPERATION_SORTS } from "../../store/ledger/operation-list-statement.ts";
import {
  currencySchema,
  cursorSchema,
  decimalSchema,
  idTextSchema,
  keptText,
  limitSchema,
  linksSchema,
  nextCursorSchema,
  timeSchema,
} from "../http/common-schemas.ts";
import { momentSchema } from "../http/moment-schema.ts";
import { userParamsSchema } from "./balances-schemas.ts";

const KINDS = [
  "deposit",
  "withdrawal",
  "transfer",
  "hold",
  "capture",
  "release",
  "expiry",
  "charge",
  "refund",
  "accrual",
  "redemption",
  "dispute",
  "dispute_reversal",
  "refund_reversal",
] as const;

const kindSchema = z.enum(KINDS);

/** What a history can be filtered and sorted by: what a cursor keeps. */
export const operationFiltersSchema = z.strictObject({
  sort: z
    .enum(OPERATION_SORTS, `must be one of ${OPERATION_SORTS.join(", ")}`)
    .optional()
    .openapi({
      default: "-date",
      description:
        "`date` is the order of recording; `amount` sorts within a currency, and currencies by their code. A minus sign turns it round.",
    }),
  currency: currencySchema.optional(),
  kind: kindSchema.optional(),
  from: momentSchema.optional().openapi({ description: "Recorded at this moment or later." }),
  to: momentSchema.optional().openapi({ description: "Recorded before this moment." }),
  serviceId: idTextSchema.optional(),
  orderId: idTextSchema.optional(),
  includeRefused: z
    .enum(["true", "false"], "must be true or false")
    .optional()
    .openapi({ default: "false", description: "Also operations that were refused; they changed nothing." }),
});

const operationsQuerySchema = operationFiltersSchema.extend({ limit: limitSchema, cursor: cursorSchema.optional() });

const signedSchema = z
  .string()
  .openapi({ example: "-100.50", description: "Signed: what it added to the user's balance or took from it." });

const facts = {
  operationId: z.string(),
  kind: kindSchema,
  status: z.enum(["done", "refused"]),
  refusalCode: z.string().optional().openapi({ example: "INSUFFICIENT_FUNDS" }),
  amount: decimalSchema,
  currency: z.string(),
  serviceId: z.string().optional(),
  orderId: z.string().optional(),
  reservationId: z.string().optional().openapi({ description: "The hold it belongs to." }),
  comment: z.string().openapi({ description: "Where from and what for." }),
  effectiveAt: timeSchema.openapi({ description: "When it happened, as its source says." }),
  recordedAt: timeSchema.openapi({ description: "When it was booked." }),
};

const listedOperationSchema = z
  .object({
    ...facts,
    change: z.object({ available: signedSchema, held: signedSchema }),
    balanceAfter: z
      .object({ available: decimalSchema.optional(), held: decimalSchema.optional() })
      .openapi({ description: "The balances that the operation changed, as they were right after it." }),
    peerUserId: z.string().optional().openapi({ description: "The user on the other side of a transfer." }),
    links: linksSchema,
  })
  .openapi("ListedOperation");

const operationListSchema = z
  .object({ userId: z.string(), operations: z.array(listedOperationSchema), nextCursor: nextCursorSchema })
  .openapi("OperationList");

const accountSchema = z.object({
  kind: z.enum(["available", "held", "revenue", "external", "psp"]),
  owner: z
    .string()
    .optional()
    .openapi({ description: "A user, or a service for `revenue`; absent for money outside and at the payment provider." }),
});

const operationSchema = z
  .object({
    ...facts,
    userId: z.string().optional(),
    peerUserId: z.string().optional(),
    caller: z.string().openapi({ description: "Who asked for it." }),
    correlationId: z.string(),
    workflowId: z.string().optional(),
    runId: z.string().optional(),
    event: z
      .object({ topic: z.string(), partition: z.number().int(), offset: z.string() })
      .optional()
      .openapi({ description: "The Kafka message it came from." }),
    postings: z.array(z.object({ debit: accountSchema, credit: accountSchema, amount: decimalSchema })),
    links: z.object({ self: z.string(), why: z.string() }),
  })
  .openapi("Operation");

const whySchema = z.object({ operationId: z.string(), language: z.enum(["en", "ru"]), story: z.string() }).openapi("OperationStory");

const operationParamsSchema = z.object({ operationId: idTextSchema });

export const listOperationsRoute = createRoute({
  method: "get",
  path: "/api/v1/balances/{userId}/operations",
  operationId: "listOperations",
  tags: ["balances"],
  summary: "A user's history: every operation that touched their money, or was refused",
  description: "The cursor keeps the filters and the sort: the next page needs only the cursor. An unknown user has an empty history.",
  request: { params: userParamsSchema, query: operationsQuerySchema },
  responses: { 200: { description: "A page.", content: { "application/json": { schema: operationListSchema } } } },
});

export const readOperationRoute = createRoute({
  method: "get",
  path: "/api/v1/operations/{operationId}",
  operationId: "getOperation",
  tags: ["balances"],
  summary: "One operation with its postings",
  request: { params: operationParamsSchema },
  responses: { 200: { description: "The operation.", content: { "application/json": { schema: operationSchema } } } },
});

export const decideOperationAgainRoute = createRoute({
  method: "post",
  path: "/api/v1/operations/{operationId}/decisions",
  operationId: "decideOperationAgain",
  tags: ["balances"],
  summary: "Decide an event once more that was refused because it was read before the money it spends",
  description:
    "Of a purchase by wallet or a redemption that came by Kafka. The refused operation stays; a new one names the same message. It takes effect once, however often this is called; " +
    "refused again it can be called later again.",
  request: {
    params: operationParamsSchema,
    body: {
      required: true,
      content: {
        "application/json": { schema: z.strictObject({ reason: keptText(500).min(1, "must not be empty") }).openapi("DecideAgain") },
      },
    },
  },
  responses: { 201: { description: "The operation that was done.", content: { "application/json": { schema: operationSchema } } } },
});

export const whyOperationRoute = createRoute({
  method: "get",
  path: "/api/v1/operations/{operationId}/why",
  operationId: "explainOperation",
  tags: ["balances"],
  summary: "Why an operation happened, in words",
  request: {
    params: operationParamsSchema,
    headers: z.object({
      "Accept-Language": z.string().optional().openapi({ example: "ru", description: "`ru` or `en`; `en` without it." }),
    }),
  },
  responses: { 200: { description: "A short story.", content: { "application/json": { schema: whySchema } } } },
});
