import { listRefunds } from "../../store/orders/refunds.ts";
import { refundOrder } from "../../use-cases/orders/refund-order.ts";
import type { ApiDeps } from "../deps.ts";
import { OWN_DATA, SERVICES } from "../http/access.ts";
import { markReplayed, readIdempotencyKey } from "../http/idempotency.ts";
import { waitAsked } from "../http/prefer.ts";
import { readAmount } from "../http/read-money.ts";
import { originOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { findOwnOrder } from "./order-access.ts";
import { listRefundsRoute, refundOrderRoute } from "./refund-schemas.ts";
import { showRefund } from "./show-order.ts";

/** Refunds of completed orders. */
export function addOrderRefundRoutes(routes: Routes, deps: ApiDeps): void {
  routes.add(
    refundOrderRoute,
    {
      access: SERVICES,
      idempotency: { route: "orders/refunds", required: true, memory: "row" },
      problems: ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT", "INVALID_AMOUNT", "REFUND_EXCEEDS_PAYMENT"],
    },
    async (context) => {
      const { id: refundId } = readIdempotencyKey(context, "orders/refunds");
      const order = await findOwnOrder(context, deps, context.req.valid("param").orderId);
      const { amount, reason } = context.req.valid("json");
      const amountMinor = amount === undefined ? undefined : readAmount(amount, order.currency);
      const wish = { refundId, amountMinor, reason, ...originOf(context) };
      const { refund, replayed, decided } = await refundOrder(deps, order, wish, waitAsked(context));
      if (replayed) markReplayed(context);
      return context.json(showRefund(refund), decided ? 201 : 202);
    },
  );

  routes.add(listRefundsRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND"] }, async (context) => {
    const { orderId } = await findOwnOrder(context, deps, context.req.valid("param").orderId);
    return context.json({ refunds: (await listRefunds(deps.db, orderId)).map(showRefund) }, 200);
  });
}
