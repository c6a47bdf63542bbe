import { isFinal } from "../../domain/orders/order-states.ts";
import type { Db } from "../postgres/database.ts";
import type { OrderStamps } from "./order-stamps.ts";
import { orderAge, orderToText } from "./order-text.ts";
import { getOrder } from "./orders.ts";

/**
 * An ended order as the cache keeps it, with the stamp that it is believed by; undefined for an order that goes on or is not there.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function readForCache(
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
