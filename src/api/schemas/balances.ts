import { z } from "@hono/zod-openapi";
import { amountSchema, commentSchema, currencySchema, decimalSchema, idTextSchema, timeSchema } from "./common.ts";

export const userParamsSchema = z.object({ userId: idTextSchema });

export const balanceQuerySchema = z.strictObject({ currency: currencySchema.optional() });

const parts = { currency: z.string(), available: decimalSchema, held: decimalSchema, total: decimalSchema };

export const currencyBalanceSchema = z
  .object({ userId: z.string(), ...parts, asOf: timeSchema })
  .openapi("CurrencyBalance", { description: "What the user has in the currency that was asked for." });

export const userBalancesSchema = z
  .object({ userId: z.string(), balances: z.array(z.object(parts)).min(1), asOf: timeSchema })
  .openapi("UserBalances", { description: "One entry per currency; a user nobody has heard of has zeros in the default currency." });

export const depositBodySchema = z
  .strictObject({ amount: amountSchema, currency: currencySchema.optional(), comment: commentSchema.optional() })
  .openapi("NewDeposit");

export const depositSchema = z
  .object({
    operationId: z.string(),
    userId: z.string(),
    amount: decimalSchema,
    currency: z.string(),
    status: z.literal("done"),
    recordedAt: timeSchema,
  })
  .openapi("Deposit");
