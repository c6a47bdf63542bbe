import type { ErrorCode } from "../../base/errors.ts";
import { formatAmount } from "../../base/money.ts";
import type { Operation, Origin } from "../../domain/ledger/operations.ts";
import { postOnLedger } from "../../store/ledger/done-or-throw.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import type { NewWork } from "../http/admission.ts";
import { markReplayed, readIdempotencyKey } from "../http/idempotency.ts";
import { readAmount, readCurrency } from "../http/read-money.ts";
import { originOf } from "../http/request-origin.ts";

/** What every route that moves money at once can answer, besides INSUFFICIENT_FUNDS where money leaves a user. */
export const MOVE_MONEY_PROBLEMS = ["INVALID_AMOUNT", "INVALID_CURRENCY", "CARD_DATA_REFUSED"] as const satisfies readonly ErrorCode[];

/** What is begun by a request of a route that moves money. */
export const MONEY_WORK: NewWork = { kind: "money" };

/** How a route that moves money takes its Idempotency-Key: the operation itself is what remembers the request. */
export function moneyKey(route: MoneyRoute) {
  return { route, required: true, memory: "operation" } as const;
}

type MoneyRoute = "deposits" | "withdrawals" | "transfers";

/** The part of a request that says how much. */
interface Sum {
  readonly amount: string;
  readonly currency?: string | undefined;
  readonly comment?: string | undefined;
}

/** What an operation is made of: its permanent key, the sum in minor units, and who asked. */
export interface Movement {
  readonly key: string;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly comment: string;
  readonly origin: Origin;
}

/**
 * Moves money with one call of the ledger under the request's Idempotency-Key; no workflow and no cache stands between. `route`
 * keeps the keys of routes apart. A repeat moves nothing, gives the first result and marks the answer as replayed.
 * Throws: the codes of MOVE_MONEY_PROBLEMS, and the code with which the ledger refused.
 */
export async function moveMoney(
  context: ApiContext,
  { ledger, settings }: Pick<ApiDeps, "ledger" | "settings">,
  request: {
    readonly route: MoneyRoute;
    readonly sum: Sum;
    readonly defaultComment: string;
    readonly toOperation: (movement: Movement) => Operation;
  },
) {
  const { amount, currency: asked, comment = request.defaultComment } = request.sum;
  const { key } = readIdempotencyKey(context, request.route);
  const currency = readCurrency(asked, settings.defaultCurrency);
  const amountMinor = readAmount(amount, currency);
  const posted = await postOnLedger(ledger, request.toOperation({ key, currency, amountMinor, comment, origin: originOf(context) }));
  if (posted.duplicate) markReplayed(context);
  return {
    operationId: posted.operationId,
    amount: formatAmount(amountMinor, currency),
    currency,
    status: "done" as const,
    recordedAt: posted.recordedAt.toISOString(),
  };
}
