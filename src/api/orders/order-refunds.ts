import { DomainError } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import { ageOfChange } from "../../store/orders/order-text.ts";
import { getRefund, listRefunds, reserveRefund } from "../../store/orders/refunds.ts";
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

/** Refunds of completed orders. The amount is set aside in the payment's row first, then a workflow sees it through. */
export function addOrderRefundRoutes(routes: Routes, { db, starters, settings, orderCache }: ApiDeps): void {
  routes.add(
    refundOrderRoute,
    {
      access: SERVICES,
      idempotency: { route: "orders/refunds", required: true, memory: "row" },
      problems: ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT", "INVALID_AMOUNT", "REFUND_EXCEEDS_PAYMENT"],
    },
    async (context) => {
      const { id: refundId } = readIdempotencyKey(context, "orders/refunds");
      const order = await findOwnOrder(context, db, context.req.valid("param").orderId);
      const { orderId, userId, currency } = order;
      const { amount, reason } = context.req.valid("json");
      const amountMinor = amount === undefined ? undefined : readAmount(amount, currency);
      const waitMs = waitAsked(context);
      const requestHash = hashOf([orderId, amountMinor?.toString() ?? null]);
      const refund = await reserveRefund(db, { refundId, orderId, amountMinor, reason, requestHash, ...originOf(context) });
      // Before anybody is told of the refund: the order as it is cached does not know of it.
      await orderCache.drop(orderId, ageOfChange(refund.createdAt));
      if (refund.known) markReplayed(context);
      if (refund.status !== "pending") return context.json(showRefund(refund), 201);
      const started = await starters.startRefund({
        refundId,
        orderId,
        userId,
        currency,
        amountMinor: refund.amountMinor.toString(),
        lines: refund.lines,
        paymentMethod: order.paymentMethod === "card" ? "card" : "wallet",
        reason: refund.reason,
        caller: refund.caller,
        correlationId: refund.correlationId,
        ...(settings.orders === undefined ? {} : { fastRetries: settings.orders.compensationFastRetries }),
      });
      const outcome = waitMs === 0 ? undefined : await started.outcome(waitMs);
      const stored = await getRefund(db, refundId);
      if (stored === undefined) throw new DomainError("UNAVAILABLE");
      return context.json(showRefund(stored), outcome === undefined ? 202 : 201);
    },
  );

  routes.add(listRefundsRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND"] }, async (context) => {
    const { orderId } = await findOwnOrder(context, db, context.req.valid("param").orderId);
    return context.json({ refunds: (await listRefunds(db, orderId)).map(showRefund) }, 200);
  });
}
