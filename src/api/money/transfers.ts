import { transferOperation } from "../../domain/ledger/wallet-operations.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";
import { MONEY_WORK, MOVE_MONEY_PROBLEMS, moneyKey, moveMoney } from "./move-money.ts";
import { transferRoute } from "./transfers-schemas.ts";

/** Money from one user to another. */
export function addTransferRoutes(routes: Routes, deps: ApiDeps): void {
  routes.add(
    transferRoute,
    {
      access: SERVICES,
      idempotency: moneyKey("transfers"),
      newWork: MONEY_WORK,
      problems: [...MOVE_MONEY_PROBLEMS, "INSUFFICIENT_FUNDS"],
    },
    async (context) => {
      const { fromUserId, toUserId, ...sum } = context.req.valid("json");
      const { operationId, ...moved } = await moveMoney(context, deps, {
        route: "transfers",
        sum,
        defaultComment: `transfer from ${fromUserId} to ${toUserId}`,
        toOperation: (movement) => transferOperation({ ...movement, userId: fromUserId, peerUserId: toUserId }),
      });
      return context.json({ operationId, fromUserId, toUserId, ...moved }, 201);
    },
  );
}
