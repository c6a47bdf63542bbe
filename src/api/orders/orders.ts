import { listOrders } from "../../store/orders/order-list.ts";
import { cancelOrder } from "../../use-cases/orders/cancel-order.ts";
import { changeOrder } from "../../use-cases/orders/change-order.ts";
import { findStandingOrder } from "../../use-cases/orders/find-order.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { ApiDeps } from "../deps.ts";
import { onlyUserOf, OWN_DATA } from "../http/access.ts";
import { definedOnly, filteredPlace, startOfFilteredPage, type FilteredList } from "../http/filtered-cursor.ts";
import { afterPlace, pageOf, TIME_AND_ID } from "../http/page.ts";
import type { Routes } from "../http/routes.ts";
import { addCreateOrderRoute } from "./create-order.ts";
import { viewerOf } from "./order-access.ts";
import {
  cancelOrderRoute,
  changeOrderRoute,
  deleteOrderRoute,
  listOrdersRoute,
  orderFiltersSchema,
  readOrderRoute,
} from "./orders-schemas.ts";
import { showAcceptedOrder, showOrder } from "./show-order.ts";

const LIST: FilteredList = { name: "orders", schema: orderFiltersSchema, shapes: TIME_AND_ID };
const CANCEL_PROBLEMS = ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT"] as const;

/** Orders: each is a saga of its own. The outcome that is answered is always the one that stands in Postgres. */
export function addOrderRoutes(routes: Routes, deps: ApiDeps, checkServices: CheckServices): void {
  const { db } = deps;

  addCreateOrderRoute(routes, deps, checkServices);

  routes.add(readOrderRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND"] }, async (context) => {
    const { orderId } = context.req.valid("param");
    const { order, running } = await findStandingOrder(deps, viewerOf(context), orderId);
    return order === undefined ? context.json(showAcceptedOrder(orderId, running), 202) : context.json(showOrder(order, running), 200);
  });

  routes.add(listOrdersRoute, { access: OWN_DATA, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor, ...named } = context.req.valid("query");
    const { filters, position } = startOfFilteredPage(LIST, definedOnly(named), cursor);
    const { userId: wantedUser, status, stuck } = orderFiltersSchema.parse(filters);
    const only = onlyUserOf(context.get("principal"));
    // Of another user there is nothing to see, as of a user without orders.
    if (only !== undefined && wantedUser !== undefined && wantedUser !== only) return context.json({ orders: [] }, 200);
    const userId = only ?? wantedUser;
    const rows = await listOrders(db, {
      limit,
      ...(userId === undefined ? {} : { userId }),
      ...(status === undefined ? {} : { status }),
      ...(stuck === undefined ? {} : { stuck: stuck === "true" }),
      ...afterPlace(position),
    });
    const { page, nextCursor } = pageOf(rows, limit, LIST.name, ({ place }) => filteredPlace(filters, [place.createdAt, place.id]));
    return context.json({ orders: page.map(({ order }) => showOrder(order)), nextCursor }, 200);
  });

  routes.add(changeOrderRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT"] }, async (context) => {
    const wish = { orderId: context.req.valid("param").orderId, comment: context.req.valid("json").comment };
    return context.json(showOrder(await changeOrder(deps, viewerOf(context), wish)), 200);
  });

  routes.add(cancelOrderRoute, { access: OWN_DATA, bodyOptional: true, problems: CANCEL_PROBLEMS }, async (context) => {
    const { reason = "cancelled over HTTP" } = context.req.valid("json");
    const { orderId } = context.req.valid("param");
    return context.json(showOrder(await cancelOrder(deps, viewerOf(context), { orderId, reason })), 200);
  });

  routes.add(deleteOrderRoute, { access: OWN_DATA, problems: CANCEL_PROBLEMS }, async (context) => {
    const wish = { orderId: context.req.valid("param").orderId, reason: "deleted over HTTP" };
    return context.json(showOrder(await cancelOrder(deps, viewerOf(context), wish)), 200);
  });
}
