import { withinOrThrow } from "../../base/deadline.ts";
import { DomainError } from "../../base/errors.ts";
import type { OrderSagaStatus } from "../../contract/orders.ts";
import { refundOfStep } from "../../contract/refunds.ts";
import { recordAct } from "../../store/operators/operator-acts.ts";
import { isClosed } from "../../use-cases/orders/closed.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { ADMINS, SERVICES } from "../http/access.ts";
import { addRoute } from "../http/add-route.ts";
import { ACTIVE_DEADLINE_MS, findOwnOrder, OUTAGES } from "./order-access.ts";
import { advanceOrderClockRoute, operatorActRoute } from "./orders-schemas.ts";
import { orderPath, showOrder } from "./show-order.ts";

const PROBLEMS = ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT", ...OUTAGES] as const;

type StuckStanding = Pick<OrderSagaStatus, "stuck" | "possibleActs">;

/** What a person does about an order by hand. Every act is kept before it takes effect. */
export function addOperatorActRoutes(api: Api, { db, starters, settings }: ApiDeps): void {
  const { maxBodyBytes } = settings;

  addRoute(api, operatorActRoute, { access: ADMINS, maxBodyBytes, problems: [...PROBLEMS, "ACT_NOT_POSSIBLE"] }, async (context) => {
    const { orderId, stuckStep } = await findOwnOrder(context, db, context.req.valid("param").orderId);
    const { act, step: wanted, reason } = context.req.valid("json");
    // A refund is stuck after its order has ended, and has a workflow of its own.
    const refundId = refundOfStep(wanted ?? stuckStep);
    const asked = refundId === undefined ? starters.orderStatus(orderId) : starters.refundStatus(orderId, refundId);
    const { stuck, possibleActs = [] } = (await withinOrThrow<StuckStanding | undefined>(asked, ACTIVE_DEADLINE_MS)) ?? {};
    if (stuck === undefined) throw new DomainError("ORDER_STATE_CONFLICT", "nothing of this order is stuck");
    if (wanted !== undefined && wanted !== stuck) throw new DomainError("ORDER_STATE_CONFLICT", `what is stuck is "${stuck}"`);
    if (!possibleActs.includes(act)) throw new DomainError("ACT_NOT_POSSIBLE", `"${stuck}" takes only ${possibleActs.join(" and ")}`);
    const actor = context.get("caller");
    const details = { step: stuck };
    const correlationId = context.get("correlationId");
    await recordAct(db, { actor, act: `order.${act}`, subjectType: "order", subjectId: orderId, reason, details, correlationId });
    const decision = { act, step: stuck, reason, actor };
    const told = refundId === undefined ? starters.actOnOrder(orderId, decision) : starters.actOnRefund(orderId, refundId, decision);
    if (!(await told)) throw new DomainError("ORDER_STATE_CONFLICT", "the order has ended meanwhile");
    return context.json({ orderId, act, step: stuck, links: { self: orderPath(orderId) } }, 202);
  });

  if (settings.testClock === true)
    addRoute(api, advanceOrderClockRoute, { access: SERVICES, maxBodyBytes, problems: PROBLEMS }, async (context) => {
      const order = await findOwnOrder(context, db, context.req.valid("param").orderId);
      if (isClosed(order)) throw new DomainError("ORDER_STATE_CONFLICT", `the order is ${order.sagaState}`);
      const moved = await starters.advanceOrder(order.orderId, context.req.valid("json").advanceMs);
      if (moved === undefined) throw new DomainError("ORDER_STATE_CONFLICT", "the order has ended meanwhile");
      return context.json(showOrder(await findOwnOrder(context, db, order.orderId)), 200);
    });
}
