import { withinOrNothing, withinOrThrow } from "../../base/deadline.ts";
import { DomainError, isErrorCode } from "../../base/errors.ts";
import type { OrderSagaInput } from "../../contract/orders.ts";
import { isFinal } from "../../domain/orders/order-states.ts";
import { listOrders } from "../../store/orders/order-list.ts";
import { orderFromText } from "../../store/orders/order-text.ts";
import { changeOrderComment, getOrder, type OrderRecord } from "../../store/orders/orders.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { AskedOrder } from "../../use-cases/orders/asked-order.ts";
import { isClosed } from "../../use-cases/orders/closed.ts";
import { keepCard } from "../../use-cases/orders/keep-card.ts";
import { tryOrder } from "../../use-cases/orders/try-order.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { onlyUserOf, OWN_DATA, requireOwn } from "../http/access.ts";
import { keepNoAnswer, markReplayed, readIdempotencyKey } from "../http/idempotency.ts";
import { pageOf, startOfPage } from "../http/page.ts";
import { waitAsked } from "../http/prefer.ts";
import { originOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { ACTIVE_DEADLINE_MS, findOwnOrder } from "./order-access.ts";
import {
  cancelOrderRoute,
  changeOrderRoute,
  createOrderRoute,
  deleteOrderRoute,
  listOrdersRoute,
  readOrderRoute,
} from "./orders-schemas.ts";
import { orderContent, readOrder } from "./read-order.ts";
import { orderPath, showOrder } from "./show-order.ts";

const LIST = "orders";
const CANCEL_PROBLEMS = ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT"] as const;

// Only orders that have ended are there.
async function cachedOrder(cache: ApiDeps["orderCache"], orderId: string): Promise<OrderRecord | undefined> {
  const cached = await cache.get(orderId);
  return cached === undefined ? undefined : orderFromText(cached.text);
}

/** Orders: each is a saga of its own. The outcome that is answered is always the one that stands in Postgres. */
export function addOrderRoutes(routes: Routes, deps: ApiDeps, checkServices: CheckServices): void {
  const { db, starters, settings } = deps;

  routes.add(
    createOrderRoute,
    {
      access: OWN_DATA,
      idempotency: { route: "orders", required: true, memory: "row", content: orderContent },
      problems: ["USER_NOT_FOUND", "INVALID_AMOUNT", "INVALID_CURRENCY", "INVALID_CARD", "UNKNOWN_SERVICE", "PSP_UNAVAILABLE"],
    },
    async (context) => {
      const { id: orderId } = readIdempotencyKey(context, "orders");
      const body = context.req.valid("json");
      // Of another user a user learns nothing, not even that they exist.
      requireOwn(context, body.userId, "USER_NOT_FOUND");
      const asked = readOrder(body, { orderId, ...originOf(context) }, settings);
      if (context.req.valid("query").dryRun === true) {
        keepNoAnswer(context);
        return context.json(await tryOrder(db, checkServices, asked), 200);
      }
      const waitMs = waitAsked(context);
      context.header("location", orderPath(orderId));

      const known = await readSame(db, asked.input);
      if (known !== undefined) markReplayed(context);
      if (known !== undefined && isClosed(known)) return context.json(showOrder(known), 201);
      const wanted =
        known === undefined
          ? asked.input.lines.map(({ serviceId, lineNo }) => ({ serviceId, pointer: `/items/${lineNo - 1}/serviceId` }))
          : [];

      const { started, outcome } = await checkServices.during(wanted, async () => {
        const begun = await starters.startOrder(await toInput(asked));
        return { started: begun, outcome: waitMs === 0 ? undefined : await begun.outcome(waitMs) };
      });
      if (started.alreadyStarted) markReplayed(context);
      if (outcome === undefined) {
        const standing = started.alreadyStarted ? await readSame(db, asked.input) : undefined;
        if (standing !== undefined && isClosed(standing)) return context.json(showOrder(standing), 201);
        const { status = "PENDING", sagaState = "STARTED" } = standing ?? {};
        return context.json({ orderId, status, sagaState, links: { self: orderPath(orderId) } }, 202);
      }
      const order = outcome.failureCode === "IDEMPOTENCY_CONFLICT" ? undefined : await readSame(db, asked.input);
      if (order !== undefined) return context.json(showOrder(order), 201);
      throw new DomainError(isErrorCode(outcome.failureCode) ? outcome.failureCode : "INTERNAL", outcome.failureMessage);
    },
  );

  routes.add(readOrderRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND"] }, async (context) => {
    const { orderId } = context.req.valid("param");
    const order = (await cachedOrder(deps.orderCache, orderId)) ?? (await getOrder(db, orderId));
    if (order !== undefined) {
      requireOwn(context, order.userId, "ORDER_NOT_FOUND");
      if (isClosed(order)) return context.json(showOrder(order), 200);
      const running = await withinOrNothing(starters.orderStatus(orderId), ACTIVE_DEADLINE_MS);
      // It may have ended since its row was read: then the row tells all of it, and the workflow only how it ended.
      if (running !== undefined && !isFinal(running.sagaState)) return context.json(showOrder(order, running), 200);
      return context.json(showOrder((await getOrder(db, orderId)) ?? order), 200);
    }
    // Whose order it is stands in its row; until that is written a user learns nothing of it.
    if (onlyUserOf(context.get("principal")) !== undefined) throw new DomainError("ORDER_NOT_FOUND");
    const running = await withinOrThrow(starters.orderStatus(orderId), ACTIVE_DEADLINE_MS);
    if (running === undefined) throw new DomainError("ORDER_NOT_FOUND");
    return context.json({ orderId, status: running.status, sagaState: running.sagaState, links: { self: orderPath(orderId) } }, 202);
  });

  routes.add(listOrdersRoute, { access: OWN_DATA, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { userId: wantedUser, status, stuck, limit, cursor } = context.req.valid("query");
    const only = onlyUserOf(context.get("principal"));
    // Of another user there is nothing to see, as of one who has no orders.
    if (only !== undefined && wantedUser !== undefined && wantedUser !== only) return context.json({ orders: [] }, 200);
    const userId = only ?? wantedUser;
    const rows = await listOrders(db, {
      limit,
      ...(userId === undefined ? {} : { userId }),
      ...(status === undefined ? {} : { status }),
      ...(stuck === undefined ? {} : { stuck }),
      ...startOfPage(LIST, cursor),
    });
    const { page, nextCursor } = pageOf(rows, limit, LIST, ({ place }) => [place.createdAt, place.id]);
    return context.json({ orders: page.map(({ order }) => showOrder(order)), nextCursor }, 200);
  });

  routes.add(changeOrderRoute, { access: OWN_DATA, problems: ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT"] }, async (context) => {
    const { orderId } = context.req.valid("param");
    await findOwnOrder(context, db, orderId);
    const { comment } = context.req.valid("json");
    if (!(await changeOrderComment(db, { orderId, comment })))
      throw new DomainError("ORDER_STATE_CONFLICT", "only a PENDING order can be changed");
    return context.json(showOrder(await findOwnOrder(context, db, orderId)), 200);
  });

  routes.add(cancelOrderRoute, { access: OWN_DATA, bodyOptional: true, problems: CANCEL_PROBLEMS }, async (context) => {
    const { reason = "cancelled over HTTP" } = context.req.valid("json");
    return context.json(showOrder(await cancel(context, context.req.valid("param").orderId, reason)), 200);
  });

  routes.add(deleteOrderRoute, { access: OWN_DATA, problems: CANCEL_PROBLEMS }, async (context) =>
    context.json(showOrder(await cancel(context, context.req.valid("param").orderId, "deleted over HTTP")), 200),
  );

  async function cancel(context: ApiContext, orderId: string, reason: string): Promise<OrderRecord> {
    const before = await getOrder(db, orderId);
    if (before !== undefined) requireOwn(context, before.userId, "ORDER_NOT_FOUND");
    else if (onlyUserOf(context.get("principal")) !== undefined) throw new DomainError("ORDER_NOT_FOUND");
    const outcome = before !== undefined && isClosed(before) ? undefined : await starters.cancelOrder(orderId, reason);
    const order = await getOrder(db, orderId);
    if (order === undefined) throw new DomainError(outcome === undefined ? "ORDER_NOT_FOUND" : "ORDER_STATE_CONFLICT");
    // Nothing runs it at this moment: the self-audit gives it its workflow back, and then it can be cancelled or has ended.
    if (outcome === undefined && !isClosed(order)) throw new DomainError("UNAVAILABLE", "nothing runs the order at this moment");
    if (order.status !== "CANCELLED") throw new DomainError("ORDER_STATE_CONFLICT", `the order is ${order.sagaState}`);
    return order;
  }

  /** The workflow's input. A card goes to the provider's vault here, and only its token goes on. */
  async function toInput({ input, card }: AskedOrder): Promise<OrderSagaInput> {
    return card === undefined ? input : { ...input, card: await keepCard(deps.psp, card) };
  }
}

/** The order of this request when it is written. Throws: IDEMPOTENCY_CONFLICT when another request made it. */
async function readSame(db: Db, input: Pick<OrderSagaInput, "orderId" | "requestHash">): Promise<OrderRecord | undefined> {
  const order = await getOrder(db, input.orderId);
  if (order !== undefined && order.requestHash !== input.requestHash) throw new DomainError("IDEMPOTENCY_CONFLICT");
  return order;
}
