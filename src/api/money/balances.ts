import { formatAmount } from "../../base/money.ts";
import { depositOperation, withdrawalOperation } from "../../domain/ledger/wallet-operations.ts";
import { readBalancesAt } from "../../store/ledger/balance-at.ts";
import type { CurrencyBalance } from "../../store/ledger/balance-reader.ts";
import type { ApiDeps } from "../deps.ts";
import { OWN_DATA, requireOwn, SERVICES } from "../http/access.ts";
import { readCurrency } from "../http/read-money.ts";
import type { Routes } from "../http/routes.ts";
import { depositRoute, readBalanceRoute, withdrawRoute } from "./balances-schemas.ts";
import { MONEY_WORK, MOVE_MONEY_PROBLEMS, moneyKey, moveMoney } from "./move-money.ts";

/** Balances, now and in the past, and money that comes in and goes out. */
export function addBalanceRoutes(routes: Routes, deps: ApiDeps): void {
  const { db, balances } = deps;
  const { defaultCurrency } = deps.settings;

  routes.add(readBalanceRoute, { access: OWN_DATA, problems: ["NOT_FOUND", "INVALID_CURRENCY"] }, async (context) => {
    const { userId } = context.req.valid("param");
    requireOwn(context, userId, "NOT_FOUND");
    const { currency: asked, at } = context.req.valid("query");
    const currency = readCurrency(asked, defaultCurrency, "currency");
    const found = at === undefined ? await balances.read(userId) : { asOf: at, balances: await readBalancesAt(db, { userId, at }) };
    const asOf = typeof found.asOf === "string" ? found.asOf : found.asOf.toISOString();
    const nothing: CurrencyBalance = { currency, availableMinor: 0n, heldMinor: 0n };
    if (asked !== undefined)
      return context.json({ userId, ...show(found.balances.find((one) => one.currency === currency) ?? nothing), asOf }, 200);
    return context.json({ userId, balances: (found.balances.length === 0 ? [nothing] : found.balances).map(show), asOf }, 200);
  });

  routes.add(
    depositRoute,
    { access: SERVICES, idempotency: moneyKey("deposits"), newWork: MONEY_WORK, problems: MOVE_MONEY_PROBLEMS },
    async (context) => {
      const { userId } = context.req.valid("param");
      const { operationId, ...moved } = await moveMoney(context, deps, {
        route: "deposits",
        sum: context.req.valid("json"),
        defaultComment: "deposit over HTTP",
        toOperation: (movement) => depositOperation({ ...movement, userId }),
      });
      return context.json({ operationId, userId, ...moved }, 201);
    },
  );

  routes.add(
    withdrawRoute,
    {
      access: SERVICES,
      idempotency: moneyKey("withdrawals"),
      newWork: MONEY_WORK,
      problems: [...MOVE_MONEY_PROBLEMS, "INSUFFICIENT_FUNDS"],
    },
    async (context) => {
      const { userId } = context.req.valid("param");
      const { operationId, ...moved } = await moveMoney(context, deps, {
        route: "withdrawals",
        sum: context.req.valid("json"),
        defaultComment: "withdrawal over HTTP",
        toOperation: (movement) => withdrawalOperation({ ...movement, userId }),
      });
      return context.json({ operationId, userId, ...moved }, 201);
    },
  );
}

function show({ currency, availableMinor, heldMinor }: CurrencyBalance) {
  const text = (amountMinor: bigint) => formatAmount(amountMinor, currency);
  return { currency, available: text(availableMinor), held: text(heldMinor), total: text(availableMinor + heldMinor) };
}
