import { placeOrder } from "../../use-cases/orders/place-order.ts";
import { tryOrder } from "../../use-cases/orders/try-order.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { ApiDeps } from "../deps.ts";
import { OWN_DATA, requireOwn } from "../http/access.ts";
import { keepNoAnswer, markReplayed, readIdempotencyKey } from "../http/idempotency.ts";
import { waitAsked } from "../http/prefer.ts";
import { originOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { createOrderRoute } from "./orders-schemas.ts";
import { isByCard, orderContent, readOrder } from "./read-order.ts";
import { orderPath, showAcceptedOrder, showOrder } from "./show-order.ts";

/** Places an order, or says with `dryRun=true` what would become of it. */
export function addCreateOrderRoute(routes: Routes, deps: ApiDeps, checkServices: CheckServices): void {
  routes.add(
    createOrderRoute,
    {
      access: OWN_DATA,
      idempotency: { route: "orders", required: true, memory: "row", content: orderContent },
      newWork: { kind: "orders", waitsOutside: (asked) => deps.settings.orders?.paidBy !== undefined || asked.some(isByCard) },
      problems: ["USER_NOT_FOUND", "INVALID_AMOUNT", "INVALID_CURRENCY", "INVALID_CARD", "UNKNOWN_SERVICE", "PSP_UNAVAILABLE"],
    },
    async (context) => {
      const { id: orderId } = readIdempotencyKey(context, "orders");
      const body = context.req.valid("json");
      // Of another user a user learns nothing, not even that they exist.
      requireOwn(context, body.userId, "USER_NOT_FOUND");
      const asked = readOrder(body, { orderId, ...originOf(context) }, deps.settings);
      if (context.req.valid("query").dryRun === true) {
        keepNoAnswer(context);
        return context.json(await tryOrder({ ...deps, checkServices }, asked), 200);
      }
      const waitMs = waitAsked(context);
      context.header("location", orderPath(orderId));
      const wanted = asked.input.lines.map(({ serviceId, lineNo }) => ({ serviceId, pointer: `/items/${lineNo - 1}/serviceId` }));
      const placed = await placeOrder({ ...deps, whileSold: (start) => checkServices.during(wanted, start) }, asked, waitMs);
      if (placed.replayed) markReplayed(context);
      return placed.decided ? context.json(showOrder(placed.order), 201) : context.json(showAcceptedOrder(orderId, placed.order), 202);
    },
  );
}
