import { messageOf } from "../../src/base/errors.ts";
import { cacheEndedOrder } from "../../src/store/orders/cached-order.ts";
import { createOrderStamps } from "../../src/store/orders/order-stamps.ts";
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
  return (orderId) =>
    void cacheEndedOrder(db, stamps, orderCache, orderId).catch((error: unknown) =>
      logger.debug({ orderId, reason: messageOf(error) }, "an order was not cached"),
    );
}
