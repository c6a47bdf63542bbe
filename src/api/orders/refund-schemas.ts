import { createRoute, z } from "@hono/zod-openapi";
import { REFUND_STATUSES } from "../../contract/refunds.ts";
import { amountSchema, commentSchema, decimalSchema, jsonOf, linksSchema, timeSchema } from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";
import { preferHeader } from "../http/prefer.ts";
import { orderParamsSchema } from "./orders-schemas.ts";

const tags = ["orders"];

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
