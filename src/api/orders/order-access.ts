import type { OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";
import { findOrder, type Viewer } from "../../use-cases/orders/find-order.ts";
import type { ApiContext } from "../api-env.ts";
import { onlyUserOf } from "../http/access.ts";

/** Whose orders the request may see. */
export function viewerOf(context: ApiContext): Viewer {
  return { onlyUser: onlyUserOf(context.get("principal")) };
}

/** The order, for those who may see it. Throws: ORDER_NOT_FOUND also to a user whose order it is not; UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findOwnOrder(context: ApiContext, db: Db, orderId: string): Promise<OrderRecord> {
  return await findOrder(db, viewerOf(context), orderId);
}
