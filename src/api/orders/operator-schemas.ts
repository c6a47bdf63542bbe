import { createRoute, z } from "@hono/zod-openapi";
import { OPERATOR_ACTS } from "../../contract/operator-acts.ts";
import { commentSchema, jsonOf, linksSchema, wholeNumber } from "../http/common-schemas.ts";
import { orderParamsSchema, orderSchema } from "./orders-schemas.ts";

const MAX_ADVANCE_MS = 2_592_000_000;

export const operatorActRoute = createRoute({
  method: "post",
  path: "/api/v1/orders/{orderId}/operator-acts",
  operationId: "actOnOrder",
  tags: ["operations"],
  summary: "Retry, skip or settle by hand the stuck step of an order",
  description:
    "`retry` tries the step at once; `skip` leaves it undone; `settle` says that it was done outside Saldo. Each act is kept with who did it and why. Every stuck step can be retried, but `refund by-hand`, whose money a person gives back; a compensation can be skipped or settled; a refund at the provider can be settled, then it is booked as given back; the others are refused with ACT_NOT_POSSIBLE.",
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
              .openapi({ description: "The step it is meant for, `refund ID` for a refund; without it the step that is stuck." }),
            reason: commentSchema.min(1, "must not be empty"),
          })
          .openapi("OperatorAct"),
      ),
    },
  },
  responses: {
    202: {
      description: "The act was handed to the order's workflow.",
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
  description: "Not available in production.",
  request: {
    params: orderParamsSchema,
    body: { required: true, ...jsonOf(z.strictObject({ advanceMs: wholeNumber(1, MAX_ADVANCE_MS) }).openapi("AdvanceOrderClock")) },
  },
  responses: { 200: { description: "The order.", ...jsonOf(orderSchema) } },
});
