import { z } from "@hono/zod-openapi";
import { ORDER_STATUSES, SAGA_STATES } from "../../contract/orders.ts";
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
} from "./common.ts";

const MAX_ITEMS = 100;
const MAX_QUANTITY = 1_000_000;

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
    paymentMethod: z.literal("wallet", "must be wallet").optional(),
    comment: commentSchema.optional(),
  })
  .openapi("NewOrder");

export const cancelBodySchema = z.strictObject({ reason: commentSchema.optional() }).openapi("CancelOrder");

export const orderParamsSchema = z.object({ orderId: idTextSchema });

export const orderQuerySchema = z.strictObject({
  userId: idTextSchema.optional(),
  status: z.enum(ORDER_STATUSES, `must be one of ${ORDER_STATUSES.join(", ")}`).optional(),
  limit: limitSchema,
  cursor: cursorSchema.optional(),
});

const statusSchema = z.enum(ORDER_STATUSES);
const sagaStateSchema = z.enum(SAGA_STATES);

export const orderSchema = z
  .object({
    orderId: z.string(),
    userId: z.string(),
    status: statusSchema,
    sagaState: sagaStateSchema,
    step: z.string().optional().openapi({ description: "What the order is doing right now; only while it runs." }),
    currency: z.string(),
    total: decimalSchema,
    paymentMethod: z.string(),
    comment: z.string(),
    items: z.array(z.object({ lineNo: z.number().int(), serviceId: z.string(), quantity: z.number().int(), amount: decimalSchema })),
    failure: z
      .object({ code: z.string().openapi({ example: "INSUFFICIENT_FUNDS" }), message: z.string() })
      .optional()
      .openapi({ description: "Why the order came to nothing." }),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    links: linksSchema,
  })
  .openapi("Order");

export const orderAcceptedSchema = z
  .object({ orderId: z.string(), status: statusSchema, sagaState: sagaStateSchema, links: linksSchema })
  .openapi("OrderAccepted", { description: "The order runs; ask at `links.self` how it stands." });

export const orderListSchema = z.object({ orders: z.array(orderSchema), nextCursor: nextCursorSchema }).openapi("OrderList");
