import { DomainError } from "../../base/errors.ts";
import { getOrder, type OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { ApiContext } from "../api-env.ts";
import { requireOwn } from "../http/access.ts";

/** The order, for those who may see it. Throws: ORDER_NOT_FOUND also to a user whose order it is not; UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findOwnOrder(context: ApiContext, db: Db, orderId: string): Promise<OrderRecord> {
  const order = await getOrder(db, orderId);
  if (order === undefined) throw new DomainError("ORDER_NOT_FOUND");
  requireOwn(context, order.userId, "ORDER_NOT_FOUND");
  return order;
}

/** How long the workflow of an order is asked before its row answers alone. */
export const ACTIVE_DEADLINE_MS = 1_000;
