import { withinOrThrow } from "../../base/deadline.ts";
import { DomainError } from "../../base/errors.ts";
import { refundOfStep, type OrderSagaStatus } from "../../contract/orders.ts";
import { isClosed } from "../../use-cases/orders/closed.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS, SERVICES } from "../http/access.ts";
import { noteAct } from "../http/note-act.ts";
import type { Routes } from "../http/routes.ts";
import { advanceOrderClockRoute, operatorActRoute } from "./operator-schemas.ts";
import { ACTIVE_DEADLINE_MS, findOwnOrder } from "./order-access.ts";
import { orderPath, showOrder } from "./show-order.ts";

const PROBLEMS = ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT"] as const;

type StuckStanding = Pick<OrderSagaStatus, "stuck" | "possibleActs">;

/** What a person does about an order by hand. Every act is kept before it takes effect. */
export function addOperatorActRoutes(routes: Routes, { db, starters, settings }: ApiDeps): void {
  routes.add(operatorActRoute, { access: ADMINS, problems: [...PROBLEMS, "ACT_NOT_POSSIBLE"] }, async (context) => {
    const { orderId, stuckStep } = await findOwnOrder(context, db, context.req.valid("param").orderId);
    const { act, step: wanted, reason } = context.req.valid("json");
    // A refund is stuck after its order has ended, and has a workflow of its own.
    const refundId = refundOfStep(wanted ?? stuckStep);
    const asked = refundId === undefined ? starters.orderStatus(orderId) : starters.refundStatus(orderId, refundId);
    const { stuck, possibleActs = [] } = (await withinOrThrow<StuckStanding | undefined>(asked, ACTIVE_DEADLINE_MS)) ?? {};
    if (stuck === undefined) throw new DomainError("ORDER_STATE_CONFLICT", "nothing of this order is stuck");
    if (wanted !== undefined && wanted !== stuck) throw new DomainError("ORDER_STATE_CONFLICT", `what is stuck is "${stuck}"`);
    if (!possibleActs.includes(act)) throw new DomainError("ACT_NOT_POSSIBLE", `"${stuck}" takes only ${possibleActs.join(" and ")}`);
    await noteAct(db, context, { act: `order.${act}`, subjectType: "order", subjectId: orderId, reason, details: { step: stuck } });
    const decision = { act, step: stuck, reason, actor: context.get("caller") };
    const told = refundId === undefined ? starters.actOnOrder(orderId, decision) : starters.actOnRefund(orderId, refundId, decision);
    if (!(await told)) throw new DomainError("ORDER_STATE_CONFLICT", "the order has ended meanwhile");
    return context.json({ orderId, act, step: stuck, links: { self: orderPath(orderId) } }, 202);
  });

  if (settings.testClock === true)
    routes.add(advanceOrderClockRoute, { access: SERVICES, problems: PROBLEMS }, async (context) => {
      const order = await findOwnOrder(context, db, context.req.valid("param").orderId);
      if (isClosed(order)) throw new DomainError("ORDER_STATE_CONFLICT", `the order is ${order.sagaState}`);
      const moved = await starters.advanceOrder(order.orderId, context.req.valid("json").advanceMs);
      if (moved === undefined) throw new DomainError("ORDER_STATE_CONFLICT", "the order has ended meanwhile");
      return context.json(showOrder(await findOwnOrder(context, db, order.orderId)), 200);
    });
}
