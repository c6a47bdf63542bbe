import type { OrderRecord } from "../../store/orders/orders.ts";
import { findOrder, type FindOrderDeps, type Viewer } from "../../use-cases/orders/find-order.ts";
import type { ApiContext } from "../api-env.ts";
import { onlyUserOf } from "../http/access.ts";

/** Whose orders the request may see. */
export function viewerOf(context: ApiContext): Viewer {
  return { onlyUser: onlyUserOf(context.get("principal")) };
}

/** The order, for those who may see it. Throws: ORDER_NOT_FOUND also to a user whose order it is not; UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findOwnOrder(context: ApiContext, deps: FindOrderDeps, orderId: string): Promise<OrderRecord> {
  return await findOrder(deps, viewerOf(context), orderId);
}
