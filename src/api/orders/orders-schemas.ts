import { createRoute, z } from "@hono/zod-openapi";
import { ORDER_STATUSES, PAYMENT_METHODS, PAYMENT_STATUSES, SAGA_STATES } from "../../contract/orders.ts";
import {
  amountSchema,
  commentSchema,
  currencySchema,
  cursorSchema,
  decimalSchema,
  idSchema,
  idTextSchema,
  jsonOf,
  limitSchema,
  linksSchema,
  nextCursorSchema,
  timeSchema,
  userIdSchema,
  userIdTextSchema,
  wholeNumber,
} from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";
import { preferHeader } from "../http/prefer.ts";

const MAX_ITEMS = 100;
const MAX_QUANTITY = 1_000_000;
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
    z
      .strictObject({
        method: z.literal("card"),
        card: cardSchema.optional(),
        token: z
          .string()
          .regex(/^[A-Za-z]{1,16}_\w{1,200}$/, "must be a token such as pm_1MqM05")
          .optional()
          .openapi({
            example: "pm_1MqM05LkdIwHu7ixNDy4xpBh",
            description: "In place of `card`: what the payment provider's own page gave the buyer's browser (Stripe: `pm_…` or `tok_…`).",
          }),
      })
      .refine(({ card, token }) => (card === undefined) !== (token === undefined), {
        path: ["card"],
        message: "must stand here, or token in its place",
      }),
  ])
  .openapi("OrderPayment");

export const orderBodySchema = z
  .strictObject({
    userId: userIdSchema,
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

/** What the list of orders can be filtered by: what a cursor keeps. */
export const orderFiltersSchema = z.strictObject({
  userId: userIdTextSchema.optional(),
  status: z.enum(ORDER_STATUSES, `must be one of ${ORDER_STATUSES.join(", ")}`).optional(),
  stuck: z.enum(["true", "false"], "must be true or false").optional(),
});

const orderQuerySchema = orderFiltersSchema.extend({ limit: limitSchema, cursor: cursorSchema.optional() });

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
        reason: z.string().optional().openapi({ description: "Why the step does not succeed. Absent in lists, and for a refund." }),
      })
      .optional()
      .openapi({ description: "The step that is past its fast retries: an operator may act on it." }),
    settledByHand: z.string().optional().openapi({ description: "What an operator settled by hand in place of its compensation." }),
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
    items: z.array(
      z.object({
        lineNo: z.number().int(),
        serviceId: z.string(),
        quantity: z.number().int(),
        amount: decimalSchema,
        held: decimalSchema.openapi({ description: "Set aside for the line and not paid yet." }),
        captured: decimalSchema.openapi({ description: "Paid for the line, before anything was given back." }),
        givenBack: decimalSchema.openapi({ description: "Back with the buyer, or on its way back." }),
      }),
    ),
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
    paidBy: z.enum(["wallet", "card", "saga-commands"]).openapi({
      description: "What pays it: Saldo's wallet, a card, or a payment service that is asked over `saga.commands` (ORDER_PAYMENT).",
    }),
    steps: z.array(z.string()).openapi({ description: "What would be done, in its order." }),
    refusals: z.array(failureSchema.extend({ pointer: z.string().optional() })).openapi({ description: "Every reason why it would fail." }),
    waitingFor: z.string().optional().openapi({ description: "What it would have to wait for, such as a pause." }),
    undecided: z.string().optional().openapi({ description: "What only the order itself would show, such as the bank's word." }),
    balances: z
      .object({ before: walletSchema, whileHeld: walletSchema, after: walletSchema })
      .optional()
      .openapi({ description: "The wallet as it would go; absent when it does not suffice or does not pay." }),
  })
  .openapi("OrderTrial");

const oneOrder = jsonOf(orderSchema);
const tags = ["orders"];

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
    202: { description: "The order was accepted and its row is not written yet.", ...jsonOf(orderAcceptedSchema) },
  },
});

export const listOrdersRoute = createRoute({
  method: "get",
  path: "/api/v1/orders",
  operationId: "listOrders",
  tags,
  summary: "Orders, newest first, page by page",
  description: "The cursor keeps the filters: the next page needs only the cursor.",
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
