import { createRoute, z } from "@hono/zod-openapi";
import { amountSchema, commentSchema, currencySchema, userIdSchema } from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";
import { movedFields } from "./balances-schemas.ts";

const transferBodySchema = z
  .strictObject({
    fromUserId: userIdSchema,
    toUserId: userIdSchema,
    amount: amountSchema,
    currency: currencySchema.optional(),
    comment: commentSchema.optional(),
  })
  .refine(({ fromUserId, toUserId }) => fromUserId !== toUserId, { path: ["toUserId"], message: "must be another user than fromUserId" })
  .openapi("NewTransfer");

const transferSchema = z.object({ fromUserId: z.string(), toUserId: z.string(), ...movedFields }).openapi("Transfer");

export const transferRoute = createRoute({
  method: "post",
  path: "/api/v1/transfers",
  operationId: "transfer",
  tags: ["balances"],
  summary: "Move money from one user to another",
  description: "Both happen or neither. Each of the two gets a notification, and both see the operation and its comment in their history.",
  request: { headers: idempotencyHeader, body: { required: true, content: { "application/json": { schema: transferBodySchema } } } },
  responses: {
    201: {
      description: "The money has moved. A repeat answers the same, with `Idempotency-Replayed: true`.",
      content: { "application/json": { schema: transferSchema } },
    },
  },
});
