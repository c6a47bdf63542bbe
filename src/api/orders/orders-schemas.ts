import { createRoute, z } from "@hono/zod-openapi";
import { OPERATOR_ACTS } from "../../contract/operator-acts.ts";
import { ORDER_STATUSES, PAYMENT_METHODS, PAYMENT_STATUSES, SAGA_STATES } from "../../contract/orders.ts";
import { REFUND_STATUSES } from "../../contract/refunds.ts";
import {
  amountSchema,
  commentSchema,
  currencySchema,
  cursorSchema,
  decimalSchema,
  idSchema,
  idTextSchema,
  limitSchema,
  linksSchema,
  nextCursorSchema,
  timeSchema,
  wholeNumber,
} from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";

const MAX_ITEMS = 100;
const MAX_QUANTITY = 1_000_000;
const MAX_ADVANCE_MS = 2_592_000_000;
/** No part of a card is longer, and nothing longer is read. */
const MAX_CARD_TEXT = 64;

const cardText = (example: string) => z.string().max(MAX_CARD_TEXT, `must have at most ${MAX_CARD_TEXT} characters`).openapi({ example });

const cardSchema = z
  .strictObject({
    number: cardText("4242 4242 4242 4242"),
    expiry: cardText("12/30").openapi({ description: "`MM/YY`." }),
    cvc: cardText("123"),
    holderName: cardText("ANNA IVANOVA").optional(),
  })
  .openapi("Card", { description: "Goes to the payment provider's vault and nowhere else; its last four digits and brand are kept." });

const paymentSchema = z
  .discriminatedUnion("method", [
    z.strictObject({ method: z.literal("wallet") }),
    z.strictObject({ method: z.literal("card"), card: cardSchema }),
  ])
  .openapi("OrderPayment");

export const orderBodySchema = z
  .strictObject({
    userId: idSchema,
    items: z
      .array(
        z.strictObject({
          serviceId: idSchema,
          amount: amountSchema.openapi({ description: "The price of the whole line, whatever its quantity." }),
          quantity: wholeNumber(1, MAX_QUANTITY).optional(),
        }),
      )
      .min(1, "must name at least one item")
      .max(MAX_ITEMS, `must name at most ${MAX_ITEMS} items`),
    currency: currencySchema.optional(),
    payment: paymentSchema.optional().openapi({ description: "Without it the order is paid from the wallet." }),
    paymentMethod: z.literal("wallet", "must be wallet").optional().openapi({ description: "A short way to say `payment.method`." }),
    comment: commentSchema.optional(),
  })
  .refine(({ payment, paymentMethod }) => payment === undefined || paymentMethod === undefined, {
    path: ["paymentMethod"],
    message: "must not stand beside payment",
  })
  .openapi("NewOrder");

export const cancelBodySchema = z.strictObject({ reason: commentSchema.optional() }).openapi("CancelOrder");

export const orderParamsSchema = z.object({ orderId: idTextSchema });

const flagSchema = z
  .enum(["true", "false"], "must be true or false")
  .transform((text) => text === "true")
  .optional()
  .openapi({ type: "string", enum: ["true", "false"] });

export const orderQuerySchema = z.strictObject({
  userId: idTextSchema.optional(),
  status: z.enum(ORDER_STATUSES, `must be one of ${ORDER_STATUSES.join(", ")}`).optional(),
  stuck: flagSchema,
  limit: limitSchema,
  cursor: cursorSchema.optional(),
});

const statusSchema = z.enum(ORDER_STATUSES);
const sagaStateSchema = z.enum(SAGA_STATES);
const failureSchema = z.object({ code: z.string().openapi({ example: "INSUFFICIENT_FUNDS" }), message: z.string() });

export const orderSchema = z
  .object({
    orderId: z.string(),
    userId: z.string(),
    status: statusSchema,
    sagaState: sagaStateSchema,
    step: z.string().optional().openapi({ description: "What the order is doing right now; only while it runs." }),
    waitingFor: z
      .string()
      .optional()
      .openapi({ description: "Why nothing happens right now, such as a pause or a provider that does not answer." }),
    stuck: z
      .object({
        step: z.string(),
        since: timeSchema.optional(),
        reason: z.string().optional().openapi({ description: "What keeps it. Not in lists, and not of a refund." }),
      })
      .optional()
      .openapi({ description: "What is past its fast retries: an operator may act on it." }),
    settledByHand: z.string().optional().openapi({ description: "What a person ended instead of its compensation." }),
    currency: z.string(),
    total: decimalSchema,
    paymentMethod: z.enum(PAYMENT_METHODS),
    payment: z
      .object({
        paymentId: z.string(),
        status: z.enum(PAYMENT_STATUSES),
        authorised: decimalSchema,
        captured: decimalSchema,
        refunded: decimalSchema.openapi({ description: "Given back, or on its way back." }),
        last4: z.string().optional(),
        brand: z.string().optional(),
        providerReference: z.string().optional(),
      })
      .optional(),
    comment: z.string(),
    items: z.array(z.object({ lineNo: z.number().int(), serviceId: z.string(), quantity: z.number().int(), amount: decimalSchema })),
    failure: failureSchema.optional().openapi({ description: "Why the order came to nothing." }),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    links: linksSchema,
  })
  .openapi("Order");

export const orderAcceptedSchema = z
  .object({ orderId: z.string(), status: statusSchema, sagaState: sagaStateSchema, links: linksSchema })
  .openapi("OrderAccepted", { description: "The order runs; ask at `links.self` how it stands." });

export const orderListSchema = z.object({ orders: z.array(orderSchema), nextCursor: nextCursorSchema }).openapi("OrderList");

const walletSchema = z.object({ available: decimalSchema, held: decimalSchema });

export const orderTrialSchema = z
  .object({
    dryRun: z.literal(true),
    wouldSucceed: z.boolean(),
    total: decimalSchema,
    currency: z.string(),
    paymentMethod: z.enum(PAYMENT_METHODS),
    steps: z.array(z.string()).openapi({ description: "What would be done, in its order." }),
    refusals: z.array(failureSchema.extend({ pointer: z.string().optional() })).openapi({ description: "Every reason why it would fail." }),
    waitingFor: z.string().optional().openapi({ description: "What it would have to wait for, such as a pause." }),
    balances: z
      .object({ before: walletSchema, whileHeld: walletSchema, after: walletSchema })
      .optional()
      .openapi({ description: "The wallet as it would go; absent when it does not suffice or is not touched." }),
  })
  .openapi("OrderTrial");

const jsonOf = <Schema extends z.ZodType>(schema: Schema) => ({ content: { "application/json": { schema } } });
const oneOrder = jsonOf(orderSchema);
const tags = ["orders"];
export const preferHeader = { Prefer: z.string().optional().openapi({ example: "wait=5" }) };

export const createOrderRoute = createRoute({
  method: "post",
  path: "/api/v1/orders",
  operationId: "createOrder",
  tags,
  summary: "Place an order and pay it from the wallet or by card",
  description:
    "Waits for the outcome, 5 seconds or as long as `Prefer: wait=n` says (at most 30; `respond-async` does not wait). An order that " +
    "could not be paid was placed all the same: it answers 201 with `sagaState` FAILED and the `failure`. A repeat answers what was answered " +
    "first. With `dryRun=true` everything is checked and nothing is written.",
  request: {
    headers: idempotencyHeader.extend(preferHeader),
    query: z.strictObject({ dryRun: flagSchema }),
    body: { required: true, ...jsonOf(orderBodySchema) },
  },
  responses: {
    200: { description: "What would become of the order; only with `dryRun=true`.", ...jsonOf(orderTrialSchema) },
    201: { description: "The order and its outcome.", ...oneOrder },
    202: { description: "The order runs and its outcome was not known in time.", ...jsonOf(orderAcceptedSchema) },
  },
});

export const readOrderRoute = createRoute({
  method: "get",
  path: "/api/v1/orders/{orderId}",
  operationId: "getOrder",
  tags,
  summary: "One order",
  request: { params: orderParamsSchema },
  responses: {
    200: { description: "The order.", ...oneOrder },
    202: { description: "The order was accepted and nothing of it is written yet.", ...jsonOf(orderAcceptedSchema) },
  },
});

export const listOrdersRoute = createRoute({
  method: "get",
  path: "/api/v1/orders",
  operationId: "listOrders",
  tags,
  summary: "Orders, newest first, page by page",
  request: { query: orderQuerySchema },
  responses: { 200: { description: "A page.", ...jsonOf(orderListSchema) } },
});

export const changeOrderRoute = createRoute({
  method: "patch",
  path: "/api/v1/orders/{orderId}",
  operationId: "changeOrder",
  tags,
  summary: "Change the comment of an order that is still PENDING",
  description: "What is ordered and paid never changes: cancel the order and place another.",
  request: {
    params: orderParamsSchema,
    body: { required: true, ...jsonOf(z.strictObject({ comment: commentSchema }).openapi("ChangeOrder")) },
  },
  responses: { 200: { description: "The order.", ...oneOrder } },
});

const CANCEL_DESCRIPTION = "An order that is cancelled already stays so and answers the same. One that is COMPLETED cannot be cancelled.";
const cancelled = { 200: { description: "The order is cancelled and its money is back.", ...oneOrder } };

export const cancelOrderRoute = createRoute({
  method: "post",
  path: "/api/v1/orders/{orderId}/cancel",
  operationId: "cancelOrder",
  tags,
  summary: "Stop an order and undo what it did",
  description: CANCEL_DESCRIPTION,
  request: { params: orderParamsSchema, body: jsonOf(cancelBodySchema) },
  responses: cancelled,
});

export const deleteOrderRoute = createRoute({
  method: "delete",
  path: "/api/v1/orders/{orderId}",
  operationId: "deleteOrder",
  tags,
  summary: "Stop an order and undo what it did; its row stays",
  description: `The same as a cancellation. ${CANCEL_DESCRIPTION}`,
  request: { params: orderParamsSchema },
  responses: cancelled,
});

export const refundSchema = z
  .object({
    refundId: z.string(),
    orderId: z.string(),
    status: z.enum(REFUND_STATUSES),
    amount: decimalSchema,
    currency: z.string(),
    reason: z.string(),
    items: z.array(z.object({ lineNo: z.number().int(), serviceId: z.string(), amount: decimalSchema })),
    failureCode: z.string().optional(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    links: linksSchema,
  })
  .openapi("Refund");

export const refundOrderRoute = createRoute({
  method: "post",
  path: "/api/v1/orders/{orderId}/refunds",
  operationId: "refundOrder",
  tags,
  summary: "Give back the money of a completed order, all or a part",
  description:
    "Without an amount all that is left of the payment. Several refunds are possible, together never more than was paid. The money goes " +
    "where it came from: the wallet or the card. The services' revenue goes down.",
  request: {
    params: orderParamsSchema,
    headers: idempotencyHeader.extend(preferHeader),
    body: { required: true, ...jsonOf(z.strictObject({ amount: amountSchema.optional(), reason: commentSchema }).openapi("NewRefund")) },
  },
  responses: {
    201: { description: "The refund and its outcome.", ...jsonOf(refundSchema) },
    202: { description: "The refund runs and its outcome was not known in time.", ...jsonOf(refundSchema) },
  },
});

export const listRefundsRoute = createRoute({
  method: "get",
  path: "/api/v1/orders/{orderId}/refunds",
  operationId: "listRefunds",
  tags,
  summary: "The refunds of an order, oldest first",
  request: { params: orderParamsSchema },
  responses: { 200: { description: "All of them.", ...jsonOf(z.object({ refunds: z.array(refundSchema) }).openapi("RefundList")) } },
});

export const undoPlanRoute = createRoute({
  method: "get",
  path: "/api/v1/orders/{orderId}/undo-plan",
  operationId: "getUndoPlan",
  tags,
  summary: "What a cancellation would reverse now",
  request: { params: orderParamsSchema },
  responses: {
    200: {
      description: "The plan.",
      ...jsonOf(
        z
          .object({
            orderId: z.string(),
            sagaState: sagaStateSchema,
            possible: z.boolean(),
            steps: z.array(z.object({ step: z.string(), amount: decimalSchema.optional(), currency: z.string().optional() })),
            refundable: decimalSchema.openapi({ description: "What a refund could give back of a completed order." }),
          })
          .openapi("UndoPlan"),
      ),
    },
  },
});

export const timelineRoute = createRoute({
  method: "get",
  path: "/api/v1/orders/{orderId}/timeline",
  operationId: "getOrderTimeline",
  tags,
  summary: "What happened to an order and why, in plain words",
  description:
    "In Russian or English, as Accept-Language says. States, money, the payment, refunds, acts by hand and messages in one order.",
  request: {
    params: orderParamsSchema,
    headers: z.object({ "Accept-Language": z.string().optional().openapi({ example: "ru" }) }),
  },
  responses: {
    200: {
      description: "The story, oldest first.",
      ...jsonOf(
        z
          .object({
            orderId: z.string(),
            language: z.enum(["ru", "en"]),
            events: z.array(
              z.object({
                at: timeSchema,
                kind: z.enum(["state", "ledger", "payment", "refund", "act", "message"]),
                text: z.string().openapi({ example: "100.50 RUB held for cleaning" }),
                correlationId: z.string().optional(),
                operationId: z.string().optional(),
              }),
            ),
          })
          .openapi("OrderTimeline"),
      ),
    },
  },
});

export const orderEventsRoute = createRoute({
  method: "get",
  path: "/api/v1/orders/{orderId}/events",
  operationId: "watchOrder",
  tags,
  summary: "The states of an order as they come (server-sent events)",
  description:
    "Each event's id is the version of the order's row: with Last-Event-ID only what came later is sent. The stream ends with a final " +
    "state; asked again after it, the answer is 204, upon which a browser stops asking.",
  request: { params: orderParamsSchema, headers: z.object({ "Last-Event-ID": z.string().optional() }) },
  responses: {
    200: { description: "A stream.", content: { "text/event-stream": { schema: z.string() } } },
    204: { description: "The order has ended and nothing came after the id given." },
  },
});

export const operatorActRoute = createRoute({
  method: "post",
  path: "/api/v1/orders/{orderId}/operator-acts",
  operationId: "actOnOrder",
  tags: ["operations"],
  summary: "Retry, skip or settle by hand what is stuck of an order",
  description:
    "`retry` tries it at once; `skip` leaves it undone; `settle` says that it was done outside. Each is kept with who did it and why. Every stuck step can be retried; a compensation can be skipped or settled; a refund at the provider can be settled, then it is booked as given back; the others are refused with ACT_NOT_POSSIBLE.",
  request: {
    params: orderParamsSchema,
    body: {
      required: true,
      ...jsonOf(
        z
          .strictObject({
            act: z.enum(OPERATOR_ACTS, `must be one of ${OPERATOR_ACTS.join(", ")}`),
            step: z
              .string()
              .max(100)
              .optional()
              .openapi({ description: "The step it is meant for, `refund ID` for a refund; without it the one that is stuck." }),
            reason: commentSchema.min(1, "must not be empty"),
          })
          .openapi("OperatorAct"),
      ),
    },
  },
  responses: {
    202: {
      description: "The order was told.",
      ...jsonOf(
        z.object({ orderId: z.string(), act: z.enum(OPERATOR_ACTS), step: z.string(), links: linksSchema }).openapi("OperatorActTaken"),
      ),
    },
  },
});

export const advanceOrderClockRoute = createRoute({
  method: "post",
  path: "/api/v1/test-clock/orders/{orderId}",
  operationId: "advanceOrderClock",
  tags: ["test clock"],
  summary: "Move the timers of a running order forward, to test what happens then",
  description: "Not there in production.",
  request: {
    params: orderParamsSchema,
    body: { required: true, ...jsonOf(z.strictObject({ advanceMs: wholeNumber(1, MAX_ADVANCE_MS) }).openapi("AdvanceOrderClock")) },
  },
  responses: { 200: { description: "The order.", ...oneOrder } },
});
