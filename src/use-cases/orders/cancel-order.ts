import { DomainError } from "../../base/errors.ts";
import type { Starters } from "../../starters/index.ts";
import { getOrder, type OrderRecord } from "../../store/orders/orders.ts";
import { isClosed } from "./closed.ts";
import { findAcceptedOrder, type FindOrderDeps, type Viewer } from "./find-order.ts";

/**
 * Cancels an order that is not decided yet, and answers the cancelled order. Safe to retry: a cancelled order stays as it is.
 * Throws: ORDER_NOT_FOUND; ORDER_STATE_CONFLICT when it ended otherwise; UNAVAILABLE when nothing runs it at this moment; DEADLINE_EXCEEDED.
 */
export async function cancelOrder(
  deps: FindOrderDeps & { readonly starters: Pick<Starters, "cancelOrder"> },
  viewer: Viewer,
  { orderId, reason }: { readonly orderId: string; readonly reason: string },
): Promise<OrderRecord> {
  const { db, starters } = deps;
  const before = await findAcceptedOrder(deps, viewer, orderId);
  const outcome = before !== undefined && isClosed(before) ? undefined : await starters.cancelOrder(orderId, reason);
  const order = await getOrder(db, orderId);
  if (order === undefined) throw new DomainError(outcome === undefined ? "ORDER_NOT_FOUND" : "ORDER_STATE_CONFLICT");
  // The self-audit gives an order without a workflow a new one, and then it can be cancelled or has ended.
  if (outcome === undefined && !isClosed(order)) throw new DomainError("UNAVAILABLE", "nothing runs the order at this moment");
  if (order.status !== "CANCELLED") throw new DomainError("ORDER_STATE_CONFLICT", `the order is ${order.sagaState}`);
  return order;
}
