import { and, desc, eq, inArray, isNotNull, sql } from "drizzle-orm";
import { orderItems, orders, payments } from "../../../drizzle/schema/orders.ts";
import type { OrderStatus } from "../../contract/orders.ts";
import type { Db } from "../postgres/database.ts";
import { isAfter, type Page, type PageStart } from "../postgres/page.ts";
import { ITEM_COLUMNS, toOrderRecord, type OrderRecord } from "./orders.ts";

export interface ListedOrder {
  readonly order: OrderRecord;
  readonly place: PageStart;
}

export interface OrderFilter {
  readonly userId?: string;
  readonly status?: OrderStatus;
  /** Only orders with a parked compensation. */
  readonly stuck?: boolean;
}

/** One page of orders with their items, newest first; one more than `limit` when there is a next page. */
export async function listOrders(db: Db, input: OrderFilter & Page): Promise<ListedOrder[]> {
  const rows = await db
    .select({ order: orders, payment: payments, createdAtText: sql<string>`${orders.createdAt}::text` })
    .from(orders)
    .leftJoin(payments, eq(payments.orderId, orders.id))
    .where(
      and(
        input.userId === undefined ? undefined : eq(orders.userId, input.userId),
        input.status === undefined ? undefined : eq(orders.status, input.status),
        input.stuck === true ? isNotNull(orders.stuckStep) : undefined,
        isAfter(orders, input.after),
      ),
    )
    .orderBy(desc(orders.createdAt), desc(orders.id))
    .limit(input.limit + 1);
  if (rows.length === 0) return [];
  const items = await db
    .select(ITEM_COLUMNS)
    .from(orderItems)
    .where(
      inArray(
        orderItems.orderId,
        rows.map(({ order }) => order.id),
      ),
    )
    .orderBy(orderItems.orderId, orderItems.lineNo);
  return rows.map(({ order, payment, createdAtText }) => ({
    order: toOrderRecord(
      order,
      items.filter(({ orderId }) => orderId === order.id),
      payment,
    ),
    place: { createdAt: createdAtText, id: order.id },
  }));
}
