import { createRoute, z } from "@hono/zod-openapi";
import type { OrderSagaInput, OrderSagaStatus } from "../../contract/orders.ts";
import { DomainError, isErrorCode } from "../../errors.ts";
import { MAX_AMOUNT_MINOR } from "../../money.ts";
import type { Db } from "../../store/database.ts";
import { listOrders } from "../../store/order-list.ts";
import { getOrder, type OrderRecord } from "../../store/orders.ts";
import { OWN_DATA } from "../access.ts";
import { addRoute } from "../add-route.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { decodeCursor, encodeCursor, ID_SHAPE, TIME_SHAPE } from "../cursor.ts";
import { hashOf, idempotencyHeader, markReplayed, readIdempotencyKey } from "../idempotency.ts";
import type { CheckServices } from "../known-services.ts";
import { readWait } from "../prefer.ts";
import { quickly } from "../quickly.ts";
import { readAmount, readCurrency } from "../read-money.ts";
import {
  cancelBodySchema,
  orderAcceptedSchema,
  orderBodySchema,
  orderListSchema,
  orderParamsSchema,
  orderQuerySchema,
  orderSchema,
} from "../schemas/orders.ts";
import { isClosed, orderPath, showOrder } from "../show-order.ts";

const oneOrder = { content: { "application/json": { schema: orderSchema } } };
const accepted = { content: { "application/json": { schema: orderAcceptedSchema } } };
const jsonOrder = { required: true, content: { "application/json": { schema: orderBodySchema } } };

const createOrderRoute = createRoute({
  method: "post",
  path: "/api/v1/orders",
  operationId: "createOrder",
  tags: ["orders"],
  summary: "Place an order and pay it from the wallet",
  description:
    "Waits for the outcome, 5 seconds or as long as `Prefer: wait=n` says (at most 30; `respond-async` does not wait). An order that " +
    "could not be paid was placed all the same: it answers 201 with `sagaState` FAILED and the `failure`. A repeat answers the order as it stands.",
  request: {
    headers: idempotencyHeader.extend({ Prefer: z.string().optional().openapi({ example: "wait=5" }) }),
    body: jsonOrder,
  },
  responses: {
    201: { description: "The order and its outcome.", ...oneOrder },
    202: { description: "The order runs and its outcome was not known in time.", ...accepted },
  },
});

const readRoute = createRoute({
  method: "get",
  path: "/api/v1/orders/{orderId}",
  operationId: "getOrder",
  tags: ["orders"],
  summary: "One order",
  request: { params: orderParamsSchema },
  responses: {
    200: { description: "The order.", ...oneOrder },
    202: { description: "The order was accepted and nothing of it is written yet.", ...accepted },
  },
});

const listRoute = createRoute({
  method: "get",
  path: "/api/v1/orders",
  operationId: "listOrders",
  tags: ["orders"],
  summary: "Orders, newest first, page by page",
  request: { query: orderQuerySchema },
  responses: { 200: { description: "A page.", content: { "application/json": { schema: orderListSchema } } } },
});

const cancelRoute = createRoute({
  method: "post",
  path: "/api/v1/orders/{orderId}/cancel",
  operationId: "cancelOrder",
  tags: ["orders"],
  summary: "Stop an order and undo what it did",
  description: "An order that is cancelled already stays so and answers the same. One that is COMPLETED cannot be cancelled.",
  request: { params: orderParamsSchema, body: { content: { "application/json": { schema: cancelBodySchema } } } },
  responses: { 200: { description: "The order is cancelled and its money is back.", ...oneOrder } },
});

const OUTAGES = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
const ACTIVE_DEADLINE_MS = 1_000;

/** Orders: each is a saga of its own. The outcome that is answered is always the one that stands in Postgres. */
export function addOrderRoutes(api: Api, deps: ApiDeps, checkServices: CheckServices): void {
  const { db, starters, settings } = deps;
  const { maxBodyBytes } = settings;

  addRoute(
    api,
    createOrderRoute,
    {
      access: OWN_DATA,
      maxBodyBytes,
      problems: [
        "IDEMPOTENCY_KEY_REQUIRED",
        "INVALID_IDEMPOTENCY_KEY",
        "IDEMPOTENCY_CONFLICT",
        "INVALID_AMOUNT",
        "INVALID_CURRENCY",
        "UNKNOWN_SERVICE",
        ...OUTAGES,
      ],
    },
    async (context) => {
      const { key, id: orderId } = readIdempotencyKey(context, "orders");
      const origin = { key, orderId, caller: context.get("caller"), correlationId: context.get("correlationId") };
      const input = readOrder(context.req.valid("json"), origin, settings.defaultCurrency);
      const wait = readWait(context.req.header("prefer"));
      if (wait.applied !== undefined) context.header("preference-applied", wait.applied);
      context.header("location", orderPath(orderId));

      const known = await readOwn(db, input);
      if (known !== undefined) markReplayed(context);
      if (known !== undefined && isClosed(known)) return context.json(showOrder(known), 201);
      if (known === undefined)
        await checkServices(input.lines.map(({ serviceId, lineNo }) => ({ serviceId, pointer: `/items/${lineNo - 1}/serviceId` })));

      const started = await starters.startOrder(input);
      if (started.alreadyStarted) markReplayed(context);
      const outcome = wait.waitMs === 0 ? undefined : await started.outcome(wait.waitMs);
      if (outcome === undefined) {
        if (started.alreadyStarted) await readOwn(db, input);
        return context.json(
          { orderId, status: "PENDING" as const, sagaState: "STARTED" as const, links: { self: orderPath(orderId) } },
          202,
        );
      }
      const order = outcome.failureCode === "IDEMPOTENCY_CONFLICT" ? undefined : await readOwn(db, input);
      if (order !== undefined) return context.json(showOrder(order), 201);
      throw new DomainError(isErrorCode(outcome.failureCode) ? outcome.failureCode : "INTERNAL", outcome.failureMessage);
    },
  );

  addRoute(api, readRoute, { access: OWN_DATA, maxBodyBytes, problems: ["ORDER_NOT_FOUND", ...OUTAGES] }, async (context) => {
    const { orderId } = context.req.valid("param");
    const order = await getOrder(db, orderId);
    if (order !== undefined && isClosed(order)) return context.json(showOrder(order), 200);
    const running: OrderSagaStatus | undefined = await quickly(starters.orderStatus(orderId), ACTIVE_DEADLINE_MS);
    if (order !== undefined) return context.json(showOrder(order, running), 200);
    if (running === undefined) throw new DomainError("ORDER_NOT_FOUND");
    return context.json({ orderId, status: running.status, sagaState: running.sagaState, links: { self: orderPath(orderId) } }, 202);
  });

  addRoute(api, listRoute, { access: OWN_DATA, maxBodyBytes, problems: ["INVALID_CURSOR", ...OUTAGES] }, async (context) => {
    const { userId, status, limit, cursor } = context.req.valid("query");
    const [createdAt, id] = cursor === undefined ? [] : decodeCursor("orders", cursor, [TIME_SHAPE, ID_SHAPE]);
    const rows = await listOrders(db, {
      limit,
      ...(userId === undefined ? {} : { userId }),
      ...(status === undefined ? {} : { status }),
      ...(createdAt === undefined || id === undefined ? {} : { after: { createdAt, id } }),
    });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    const next =
      rows.length > limit && last !== undefined ? { nextCursor: encodeCursor("orders", [last.place.createdAt, last.place.id]) } : {};
    return context.json({ orders: page.map(({ order }) => showOrder(order)), ...next }, 200);
  });

  addRoute(
    api,
    cancelRoute,
    { access: OWN_DATA, maxBodyBytes, bodyOptional: true, problems: ["ORDER_NOT_FOUND", "ORDER_STATE_CONFLICT", ...OUTAGES] },
    async (context) => {
      const { orderId } = context.req.valid("param");
      const { reason = "cancelled over HTTP" } = context.req.valid("json");
      const before = await getOrder(db, orderId);
      const outcome = before !== undefined && isClosed(before) ? undefined : await starters.cancelOrder(orderId, reason);
      const order = await getOrder(db, orderId);
      if (order === undefined) throw new DomainError(outcome === undefined ? "ORDER_NOT_FOUND" : "ORDER_STATE_CONFLICT");
      if (order.status !== "CANCELLED") throw new DomainError("ORDER_STATE_CONFLICT", `the order is ${order.sagaState}`);
      return context.json(showOrder(order), 200);
    },
  );
}

/** The order of this request when it is written. Throws: IDEMPOTENCY_CONFLICT when another request made it. */
async function readOwn(db: Db, input: OrderSagaInput): Promise<OrderRecord | undefined> {
  const order = await getOrder(db, input.orderId);
  if (order !== undefined && order.requestHash !== input.requestHash) throw new DomainError("IDEMPOTENCY_CONFLICT");
  return order;
}

function readOrder(
  body: z.infer<typeof orderBodySchema>,
  origin: { readonly orderId: string; readonly caller: string; readonly correlationId: string },
  defaultCurrency: string,
): OrderSagaInput {
  const currency = readCurrency(body.currency, defaultCurrency);
  const amounts = body.items.map(({ amount }, place) => readAmount(amount, currency, `/items/${place}/amount`));
  const totalMinor = amounts.reduce((sum, amountMinor) => sum + amountMinor, 0n);
  if (totalMinor > MAX_AMOUNT_MINOR)
    throw new DomainError("INVALID_AMOUNT", "the items add up to more than one operation may carry", { pointer: "/items" });
  const lines = body.items.map(({ serviceId, quantity = 1 }, place) => ({
    lineNo: place + 1,
    serviceId,
    quantity,
    amountMinor: String(amounts[place]),
  }));
  const paymentMethod = body.paymentMethod ?? "wallet";
  return {
    orderId: origin.orderId,
    userId: body.userId,
    currency,
    lines,
    totalMinor: totalMinor.toString(),
    paymentMethod,
    comment: body.comment ?? "order over HTTP",
    requestHash: hashOf([
      body.userId,
      currency,
      paymentMethod,
      lines.map(({ serviceId, quantity, amountMinor }) => [serviceId, quantity, amountMinor]),
    ]),
    correlationId: origin.correlationId,
    caller: origin.caller,
  };
}
