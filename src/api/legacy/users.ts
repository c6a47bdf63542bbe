import { DomainError } from "../../base/errors.ts";
import { depositOperation } from "../../domain/ledger/wallet-operations.ts";
import { userExists } from "../../store/identity/users-closing.ts";
import { postOnLedger } from "../../store/ledger/done-or-throw.ts";
import { deleteUser } from "../../use-cases/identity/delete-user.ts";
import type { Api } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS, SERVICES } from "../http/access.ts";
import { markReplayed } from "../http/idempotency.ts";
import { readAmount } from "../http/read-money.ts";
import { actorOf, originOf } from "../http/request-origin.ts";
import { MONEY_WORK } from "../money/move-money.ts";
import { addLegacyRoute, type LegacyParts } from "./add-legacy-route.ts";
import { answerJson, answerOk, OK_ANSWER } from "./legacy-answers.ts";
import { legacyAmount } from "./legacy-json.ts";
import { legacyRequestKey } from "./request-key.ts";
import { balanceSchema, creditSchema, userIdSchema } from "./schemas.ts";

/** Balance, credit and deletion of a user, as the earlier service had them. Its balance is what is available: what is held is not in it. */
export function addLegacyUserRoutes(api: Api, parts: LegacyParts, deps: ApiDeps): void {
  const { db, ledger, balances, settings } = deps;
  const currency = settings.defaultCurrency;

  addLegacyRoute(
    api,
    parts,
    {
      method: "get",
      path: "/api",
      operationId: "legacyGetBalance",
      summary: "A user's balance as a number. Use GET /api/v1/balances/{userId}",
      access: SERVICES,
      routeClass: "read",
      input: userIdSchema,
      answers: { type: "application/json", schema: balanceSchema, description: "The available balance." },
    },
    async (context, { id }) => {
      const [exists, found] = await Promise.all([userExists(db, id), balances.read(id)]);
      if (!exists) throw new DomainError("USER_NOT_FOUND");
      const availableMinor = found.balances.find((one) => one.currency === currency)?.availableMinor ?? 0n;
      return answerJson(context, { balance: legacyAmount(availableMinor, currency) });
    },
  );

  addLegacyRoute(
    api,
    parts,
    {
      method: "post",
      path: "/api",
      operationId: "legacyCredit",
      summary: "Credit a user. Use POST /api/v1/balances/{userId}/deposits",
      description: "The first credit makes the user. Without an Idempotency-Key each request is a credit of its own.",
      access: SERVICES,
      routeClass: "write",
      input: creditSchema,
      newWork: MONEY_WORK,
      answers: OK_ANSWER,
    },
    async (context, { id: userId, amount }) => {
      const amountMinor = readAmount(amount, currency);
      const { key } = legacyRequestKey(context, "legacy/credit");
      const { duplicate } = await postOnLedger(
        ledger,
        depositOperation({ key, userId, currency, amountMinor, comment: "credit over the legacy interface", origin: originOf(context) }),
      );
      if (duplicate) markReplayed(context);
      return answerOk(context);
    },
  );

  addLegacyRoute(
    api,
    parts,
    {
      method: "delete",
      path: "/api/users",
      operationId: "legacyDeleteUser",
      summary: "Delete a user. Use DELETE /api/v1/users/{userId}",
      description: "Refused while there is money, an open reservation or a running order. The history stays.",
      access: ADMINS,
      routeClass: "write",
      input: userIdSchema,
      answers: OK_ANSWER,
    },
    async (context, { id: userId }) => {
      await deleteUser(deps, { userId, ...actorOf(context) });
      return answerOk(context);
    },
  );
}
