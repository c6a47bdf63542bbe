import { DomainError } from "../../base/errors.ts";
import { changeOrderComment, type OrderRecord } from "../../store/orders/orders.ts";
import { findOrder, type FindOrderDeps, type Viewer } from "./find-order.ts";

/**
 * Changes the comment of an order that is not decided yet, and answers the order. Safe to retry.
 * Throws: ORDER_NOT_FOUND; ORDER_STATE_CONFLICT when the order is not PENDING; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function changeOrder(
  deps: FindOrderDeps,
  viewer: Viewer,
  { orderId, comment }: { readonly orderId: string; readonly comment: string },
): Promise<OrderRecord> {
  await findOrder(deps, viewer, orderId);
  if (!(await changeOrderComment(deps.db, { orderId, comment })))
    throw new DomainError("ORDER_STATE_CONFLICT", "only a PENDING order can be changed");
  return await findOrder(deps, viewer, orderId);
}
