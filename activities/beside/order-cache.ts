import { messageOf } from "../../src/base/errors.ts";
import { isFinal } from "../../src/domain/orders/order-states.ts";
import { createOrderStamps } from "../../src/store/orders/order-stamps.ts";
import { orderAge, orderToText } from "../../src/store/orders/order-text.ts";
import { getOrder } from "../../src/store/orders/orders.ts";
import type { ActivityDeps } from "../activity-deps.ts";

/** Puts an ended order into the cache. Returns at once: the caller does not wait for the cache. */
export type RefreshOrderCache = (orderId: string) => void;

/**
 * Reads the order and puts it, when it has ended, into the cache with the stamp that it is believed by. Safe to call for any order at any
 * time; never throws.
 */
export function createOrderCacheRefresh({ db, orderCache, logger }: Pick<ActivityDeps, "db" | "orderCache" | "logger">): RefreshOrderCache {
  if (orderCache?.enabled !== true) return () => {};
  const stamps = createOrderStamps(db);
  const refresh = async (orderId: string): Promise<void> => {
    // The stamp before the order: a change between the two leaves an order that is never believed, and not an old one that is.
    const stamp = await stamps.read(orderId);
    const order = await getOrder(db, orderId);
    if (stamp === undefined || order === undefined || !isFinal(order.sagaState)) return;
    await orderCache.put(orderId, { version: orderAge(order), text: orderToText({ order, stamp }) });
  };
  return (orderId) =>
    void refresh(orderId).catch((error: unknown) => logger.debug({ orderId, reason: messageOf(error) }, "an order was not cached"));
}
