import { isFinal } from "../../domain/orders/order-states.ts";
import type { Db } from "../postgres/database.ts";
import type { OrderStamps } from "./order-stamps.ts";
import { orderAge, orderToText } from "./order-text.ts";
import { getOrder } from "./orders.ts";

/** Where ended orders are kept for their readers. */
export interface EndedOrderCache {
  readonly enabled: boolean;
  put(orderId: string, order: { readonly version: bigint; readonly text: string }): Promise<void>;
}

/** Brings an order that has ended into the cache; does nothing for another. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function cacheEndedOrder(db: Db, stamps: OrderStamps, cache: EndedOrderCache, orderId: string): Promise<void> {
  const order = cache.enabled ? await readForCache(db, stamps, orderId) : undefined;
  if (order !== undefined) await cache.put(orderId, order);
}

/**
 * An ended order as the cache keeps it, with the stamp that it is believed by; undefined for an order that goes on or is not there.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
async function readForCache(
  db: Db,
  stamps: OrderStamps,
  orderId: string,
): Promise<{ readonly version: bigint; readonly text: string } | undefined> {
  // The stamp before the order: a change between the two leaves an order that is never believed, and not an old one that is.
  const stamp = await stamps.read(orderId);
  const order = await getOrder(db, orderId);
  if (stamp === undefined || order === undefined || !isFinal(order.sagaState)) return undefined;
  return { version: orderAge(order), text: orderToText({ order, stamp }) };
}
