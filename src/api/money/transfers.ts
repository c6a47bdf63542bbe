import { transferOperation } from "../../domain/ledger/wallet-operations.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { SERVICES } from "../http/access.ts";
import { addRoute } from "../http/add-route.ts";
import { MOVE_MONEY_PROBLEMS, moneyKey, moveMoney } from "./move-money.ts";
import { transferRoute } from "./transfers-schemas.ts";

/** Money from one user to another. */
export function addTransferRoutes(api: Api, deps: ApiDeps): void {
  const { maxBodyBytes } = deps.settings;

  addRoute(
    api,
    transferRoute,
    { access: SERVICES, maxBodyBytes, idempotency: moneyKey("transfers"), problems: [...MOVE_MONEY_PROBLEMS, "INSUFFICIENT_FUNDS"] },
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
