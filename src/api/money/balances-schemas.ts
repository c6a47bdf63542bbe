import { createRoute, z } from "@hono/zod-openapi";
import { amountSchema, commentSchema, currencySchema, decimalSchema, timeSchema, userIdTextSchema } from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";
import { momentSchema } from "../http/moment-schema.ts";

export const userParamsSchema = z.object({ userId: userIdTextSchema });

const balanceQuerySchema = z.strictObject({
  currency: currencySchema.optional(),
  at: momentSchema.optional().openapi({ description: "The balance as it was recorded up to this moment, itself included." }),
});

const parts = { currency: z.string(), available: decimalSchema, held: decimalSchema, total: decimalSchema };

export const currencyBalanceSchema = z
  .object({ userId: z.string(), ...parts, asOf: timeSchema })
  .openapi("CurrencyBalance", { description: "What the user has in the currency that was asked for." });

const userBalancesSchema = z
  .object({ userId: z.string(), balances: z.array(z.object(parts)).min(1), asOf: timeSchema })
  .openapi("UserBalances", { description: "One entry per currency; an unknown user has zeros in the default currency." });

const sum = { amount: amountSchema, currency: currencySchema.optional(), comment: commentSchema.optional() };

const depositBodySchema = z.strictObject(sum).openapi("NewDeposit");
const withdrawalBodySchema = z.strictObject(sum).openapi("NewWithdrawal");

/** What every movement of money answers. */
export const movedFields = {
  operationId: z.string(),
  amount: decimalSchema,
  currency: z.string(),
  status: z.literal("done"),
  recordedAt: timeSchema,
};

export const depositSchema = z.object({ userId: z.string(), ...movedFields }).openapi("Deposit");
const withdrawalSchema = z.object({ userId: z.string(), ...movedFields }).openapi("Withdrawal");

export const readBalanceRoute = createRoute({
  method: "get",
  path: "/api/v1/balances/{userId}",
  operationId: "getBalance",
  tags: ["balances"],
  summary: "What a user has: available, held and total",
  description:
    "With `currency` one object, without it a list of all the user's currencies. An unknown user has zeros. " +
    "With `at` the same as it was at a moment in the past, by the time of recording; before the first posting there are zeros.",
  request: { params: userParamsSchema, query: balanceQuerySchema },
  responses: {
    200: {
      description: "The balance, as it was committed at `asOf`.",
      content: { "application/json": { schema: z.union([currencyBalanceSchema, userBalancesSchema]) } },
    },
  },
});

export const depositRoute = createRoute({
  method: "post",
  path: "/api/v1/balances/{userId}/deposits",
  operationId: "deposit",
  tags: ["balances"],
  summary: "Credit money to a user",
  request: {
    params: userParamsSchema,
    headers: idempotencyHeader,
    body: { required: true, content: { "application/json": { schema: depositBodySchema } } },
  },
  responses: {
    201: {
      description: "The money is on the balance. A repeat answers the same, with `Idempotency-Replayed: true`.",
      content: { "application/json": { schema: depositSchema } },
    },
  },
});

export const withdrawRoute = createRoute({
  method: "post",
  path: "/api/v1/balances/{userId}/withdrawals",
  operationId: "withdraw",
  tags: ["balances"],
  summary: "Pay money out to a user",
  description: "Takes it from what is available; what is held cannot be withdrawn.",
  request: {
    params: userParamsSchema,
    headers: idempotencyHeader,
    body: { required: true, content: { "application/json": { schema: withdrawalBodySchema } } },
  },
  responses: {
    201: {
      description: "The money is paid out. A repeat answers the same, with `Idempotency-Replayed: true`.",
      content: { "application/json": { schema: withdrawalSchema } },
    },
  },
});
