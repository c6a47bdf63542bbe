import type { OrderCache } from "../../adapters/redis/order-cache.ts";
import { withinOrNothing, withinOrThrow } from "../../base/deadline.ts";
import { DomainError } from "../../base/errors.ts";
import type { OrderSagaStatus } from "../../contract/orders.ts";
import { isFinal } from "../../domain/orders/order-states.ts";
import type { Starters } from "../../starters/index.ts";
import { cacheEndedOrder } from "../../store/orders/cached-order.ts";
import type { OrderStamps } from "../../store/orders/order-stamps.ts";
import { orderFromText } from "../../store/orders/order-text.ts";
import { getOrder, type OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";
import { isClosed } from "./closed.ts";

/** How long the workflow of an order is asked before its row answers alone, in milliseconds. */
export const ACTIVE_DEADLINE_MS = 1_000;

/** Who looks: the only user whose orders may be seen, or undefined when everyone's may. To anyone else an order does not exist. */
export type Viewer = { readonly onlyUser: string | undefined };

/** Throws: ORDER_NOT_FOUND when the viewer may not see an order of this user. */
export function requireVisible({ onlyUser }: Viewer, { userId }: Pick<OrderRecord, "userId">): void {
  if (onlyUser !== undefined && onlyUser !== userId) throw new DomainError("ORDER_NOT_FOUND");
}

/** What an order is looked up in: its row, and the workflow of one that was accepted while its row could not be written. */
export interface FindOrderDeps {
  readonly db: Db;
  readonly starters: Pick<Starters, "userOfOrder">;
}

/**
 * The order's row, for those who may see it; undefined when the order was accepted and its row is not written yet, as Postgres was away at
 * that moment.
 * Throws: ORDER_NOT_FOUND; UNAVAILABLE, DEADLINE_EXCEEDED, also when there is no row and nobody can say whether a workflow runs: then a
 * user gets ORDER_NOT_FOUND.
 */
export async function findAcceptedOrder(
  { db, starters }: FindOrderDeps,
  viewer: Viewer,
  orderId: string,
): Promise<OrderRecord | undefined> {
  const before = await getOrder(db, orderId);
  // To a user an outage must look the same whether an order is another's or nobody's, or it would tell which ids are taken.
  const within = viewer.onlyUser === undefined ? withinOrThrow : withinOrNothing;
  const userId = before === undefined ? await within(starters.userOfOrder(orderId), ACTIVE_DEADLINE_MS) : undefined;
  // The row may have been written, and its workflow have ended, while the workflow was asked for.
  const order = before ?? (await getOrder(db, orderId));
  const accepted = order ?? (userId === undefined ? undefined : { userId });
  if (accepted === undefined) throw new DomainError("ORDER_NOT_FOUND");
  requireVisible(viewer, accepted);
  return order;
}

/** The order's row, for those who may see it. Throws: ORDER_NOT_FOUND; UNAVAILABLE, also while the order is accepted and not written; DEADLINE_EXCEEDED. */
export async function findOrder(deps: FindOrderDeps, viewer: Viewer, orderId: string): Promise<OrderRecord> {
  const order = await findAcceptedOrder(deps, viewer, orderId);
  if (order === undefined) throw new DomainError("UNAVAILABLE", "the order is accepted and its row is not written yet");
  return order;
}

/** An order as it stands. What its running workflow says is newer than its row. Without a row the order is accepted and not written yet. */
export interface StandingOrder {
  readonly order: OrderRecord | undefined;
  readonly running?: OrderSagaStatus;
}

interface StandingOrderDeps {
  readonly db: Db;
  readonly starters: Pick<Starters, "orderStatus" | "userOfOrder">;
  readonly orderCache: Pick<OrderCache, "enabled" | "get" | "put">;
  readonly orderStamps: OrderStamps;
}

/**
 * The order from the cache, which has only orders that have ended, else from its row and its workflow. What the cache holds counts only
 * while Postgres has the stamp it was read with: a cache that could not be told of a change, by whomever, is not believed.
 * Throws: ORDER_NOT_FOUND; UNAVAILABLE, DEADLINE_EXCEEDED when it stands in no row and its workflow cannot be found.
 */
export async function findStandingOrder(deps: StandingOrderDeps, viewer: Viewer, orderId: string): Promise<StandingOrder> {
  const { db, starters } = deps;
  const cached = await cachedOrder(deps, orderId);
  const order = cached ?? (await findAcceptedOrder(deps, viewer, orderId));
  if (order !== undefined) requireVisible(viewer, order);
  if (order !== undefined && isClosed(order)) {
    // Beside the answer, which waits for no cache.
    if (cached === undefined) void cacheEndedOrder(db, deps.orderStamps, deps.orderCache, orderId).catch(() => undefined);
    return { order };
  }
  const running = await withinOrNothing(starters.orderStatus(orderId), ACTIVE_DEADLINE_MS);
  // It may have ended since its row was read: then the row tells all of it, and the workflow only how it ended.
  if (running !== undefined && !isFinal(running.sagaState)) return { order, running };
  return { order: (await getOrder(db, orderId)) ?? order };
}

async function cachedOrder(
  { orderCache, orderStamps }: Pick<StandingOrderDeps, "orderCache" | "orderStamps">,
  orderId: string,
): Promise<OrderRecord | undefined> {
  const cached = await orderCache.get(orderId);
  const known = cached === undefined ? undefined : orderFromText(cached.text);
  return known !== undefined && known.stamp === (await orderStamps.read(orderId)) ? known.order : undefined;
}
