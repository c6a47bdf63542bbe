import { messageOf } from "../../src/base/errors.ts";
import { isFinal } from "../../src/domain/orders/order-states.ts";
import { orderAge, orderToText } from "../../src/store/orders/order-text.ts";
import { getOrder } from "../../src/store/orders/orders.ts";
import type { ActivityDeps } from "../activity-deps.ts";

/** Puts an ended order into the cache. Returns at once: the caller does not wait for the cache. */
export type RefreshOrderCache = (orderId: string) => void;

/**
 * Reads the order after its last change and puts it into the cache of ended orders. Leaves out an order with a refund, since it still
 * changes. Safe to call for any order at any time; never throws.
 */
export function createOrderCacheRefresh({ db, orderCache, logger }: Pick<ActivityDeps, "db" | "orderCache" | "logger">): RefreshOrderCache {
  if (orderCache?.enabled !== true) return () => {};
  const refresh = async (orderId: string): Promise<void> => {
    const order = await getOrder(db, orderId);
    if (order === undefined || !isFinal(order.sagaState)) return;
    if (order.sagaState === "COMPLETED" && (order.payment?.refundedMinor ?? 0n) > 0n) return;
    await orderCache.put(orderId, { version: orderAge(order), text: orderToText(order) });
  };
  return (orderId) =>
    void refresh(orderId).catch((error: unknown) => logger.debug({ orderId, reason: messageOf(error) }, "an order was not cached"));
}
