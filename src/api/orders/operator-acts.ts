import { DomainError } from "../../base/errors.ts";
import { actOnOrder } from "../../use-cases/orders/act-on-order.ts";
import { isClosed } from "../../use-cases/orders/closed.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS, SERVICES } from "../http/access.ts";
import { actorOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { advanceOrderClockRoute, operatorActRoute } from "./operator-schemas.ts";
import { findOwnOrder } from "./order-access.ts";
import { orderPath, showOrder } from "./show-order.ts";

const PROBLEMS = ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT"] as const;

/** What a person does about an order by hand, and the order's clock in test environments. */
export function addOperatorActRoutes(routes: Routes, deps: ApiDeps): void {
  const { starters, settings } = deps;

  routes.add(operatorActRoute, { access: ADMINS, problems: [...PROBLEMS, "ACT_NOT_POSSIBLE"] }, async (context) => {
    const order = await findOwnOrder(context, deps, context.req.valid("param").orderId);
    const { act, step: wanted, reason } = context.req.valid("json");
    const wish = { act, step: wanted, reason, ...actorOf(context) };
    const { step } = await actOnOrder(deps, order, wish);
    return context.json({ orderId: order.orderId, act, step, links: { self: orderPath(order.orderId) } }, 202);
  });

  if (settings.testClock === true)
    routes.add(advanceOrderClockRoute, { access: SERVICES, problems: PROBLEMS }, async (context) => {
      const order = await findOwnOrder(context, deps, context.req.valid("param").orderId);
      if (isClosed(order)) throw new DomainError("ORDER_STATE_CONFLICT", `the order is ${order.sagaState}`);
      const moved = await starters.advanceOrder(order.orderId, context.req.valid("json").advanceMs);
      const fresh = await findOwnOrder(context, deps, order.orderId);
      if (moved !== undefined) return context.json(showOrder(fresh), 200);
      if (isClosed(fresh)) throw new DomainError("ORDER_STATE_CONFLICT", "the order has ended meanwhile");
      throw new DomainError("UNAVAILABLE", "nothing runs the order at this moment");
    });
}
