import { createRoute, z } from "@hono/zod-openapi";
import { SAGA_STATES } from "../../contract/orders.ts";
import { decimalSchema, jsonOf, timeSchema } from "../http/common-schemas.ts";
import { orderParamsSchema } from "./orders-schemas.ts";

const tags = ["orders"];

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
            sagaState: z.enum(SAGA_STATES),
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
    "In Russian or English, as Accept-Language says. The Kafka message that asked for it, states, money, the payment, refunds, acts by hand and messages, in the order of time.",
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
                kind: z.enum(["request", "state", "ledger", "payment", "refund", "dispute", "act", "message"]),
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
    "Each event's id is the version of the order's row: with Last-Event-ID only later states are sent. The stream ends with a final " +
    "state; asked again after it, the answer is 204, upon which a browser stops asking.",
  request: { params: orderParamsSchema, headers: z.object({ "Last-Event-ID": z.string().optional() }) },
  responses: {
    200: { description: "A stream.", content: { "text/event-stream": { schema: z.string() } } },
    204: { description: "The order has ended and no state came after the id that was given." },
  },
});
