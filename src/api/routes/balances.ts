import { createRoute, z } from "@hono/zod-openapi";
import { depositOperation } from "../../domain/wallet-operations.ts";
import { formatAmount } from "../../money.ts";
import type { CurrencyBalance } from "../../store/balance-reader.ts";
import { OWN_DATA, requireOwn, SERVICES } from "../access.ts";
import { addRoute } from "../add-route.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { idempotencyHeader, markReplayed, readIdempotencyKey } from "../idempotency.ts";
import { postOnLedger } from "../post-on-ledger.ts";
import { readAmount, readCurrency } from "../read-money.ts";
import {
  balanceQuerySchema,
  currencyBalanceSchema,
  depositBodySchema,
  depositSchema,
  userBalancesSchema,
  userParamsSchema,
} from "../schemas/balances.ts";

const readRoute = createRoute({
  method: "get",
  path: "/api/v1/balances/{userId}",
  operationId: "getBalance",
  tags: ["balances"],
  summary: "What a user has: available, held and total",
  description: "With `currency` one object, without it a list of all the user's currencies. A user nobody has heard of has zeros.",
  request: { params: userParamsSchema, query: balanceQuerySchema },
  responses: {
    200: {
      description: "The balance, as it was committed at `asOf`.",
      content: { "application/json": { schema: z.union([currencyBalanceSchema, userBalancesSchema]) } },
    },
  },
});

const depositRoute = createRoute({
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
      description: "The money is there. A repeat answers the same, with `Idempotency-Replayed: true`.",
      content: { "application/json": { schema: depositSchema } },
    },
  },
});

/** Balances and deposits. A deposit is one call of the ledger; no workflow and no cache stands between. */
export function addBalanceRoutes(api: Api, { balances, ledger, settings }: ApiDeps): void {
  const { maxBodyBytes, defaultCurrency } = settings;

  addRoute(api, readRoute, { access: OWN_DATA, maxBodyBytes, problems: ["NOT_FOUND", "INVALID_CURRENCY", "UNAVAILABLE", "DEADLINE_EXCEEDED"] }, async (context) => {
    const { userId } = context.req.valid("param");
    requireOwn(context, userId, "NOT_FOUND");
    const asked = context.req.valid("query").currency;
    const currency = readCurrency(asked, defaultCurrency, "currency");
    const found = await balances.read(userId);
    const asOf = found.asOf.toISOString();
    const nothing: CurrencyBalance = { currency, availableMinor: 0n, heldMinor: 0n };
    if (asked !== undefined)
      return context.json({ userId, ...show(found.balances.find((one) => one.currency === currency) ?? nothing), asOf }, 200);
    return context.json({ userId, balances: (found.balances.length === 0 ? [nothing] : found.balances).map(show), asOf }, 200);
  });

  addRoute(
    api,
    depositRoute,
    {
      access: SERVICES,
      maxBodyBytes,
      problems: [
        "IDEMPOTENCY_KEY_REQUIRED",
        "INVALID_IDEMPOTENCY_KEY",
        "IDEMPOTENCY_CONFLICT",
        "INVALID_AMOUNT",
        "INVALID_CURRENCY",
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
      ],
    },
    async (context) => {
      const { userId } = context.req.valid("param");
      const body = context.req.valid("json");
      const { key } = readIdempotencyKey(context, "deposits");
      const currency = readCurrency(body.currency, defaultCurrency);
      const amountMinor = readAmount(body.amount, currency);
      const origin = { caller: context.get("caller"), correlationId: context.get("correlationId") };
      const posted = await postOnLedger(
        ledger,
        depositOperation({ key, userId, currency, amountMinor, comment: body.comment ?? "deposit over HTTP", origin }),
      );
      if (posted.duplicate) markReplayed(context);
      const { operationId, recordedAt } = posted;
      return context.json(
        {
          operationId,
          userId,
          amount: formatAmount(amountMinor, currency),
          currency,
          status: "done" as const,
          recordedAt: recordedAt.toISOString(),
        },
        201,
      );
    },
  );
}

function show({ currency, availableMinor, heldMinor }: CurrencyBalance) {
  const text = (amountMinor: bigint) => formatAmount(amountMinor, currency);
  return { currency, available: text(availableMinor), held: text(heldMinor), total: text(availableMinor + heldMinor) };
}
