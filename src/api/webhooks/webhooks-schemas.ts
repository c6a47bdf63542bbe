import { createRoute, z } from "@hono/zod-openapi";
import { DELIVERY_STATUSES } from "../../store/webhooks/webhook-deliveries.ts";
import { MAX_WEBHOOKS } from "../../store/webhooks/webhooks.ts";
import { cursorSchema, jsonOf, keptText, limitSchema, linksSchema, nextCursorSchema, timeSchema } from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";

const MAX_EVENT_TYPES = 50;

const eventTypeSchema = z
  .string()
  .max(100)
  .regex(
    /^(?:saldo(?:\.[a-z_]+)+|saldo(?:\.[a-z_]+)*\.\*)$/,
    "must be a type such as saldo.order.completed or a group such as saldo.order.*",
  )
  .openapi({ example: "saldo.order.*" });

const webhookSchema = z
  .object({
    webhookId: z.string(),
    url: z.string(),
    eventTypes: z.array(z.string()).openapi({ description: "Empty is every type." }),
    description: z.string(),
    status: z.enum(["active", "disabled"]),
    disabledReason: z.string().optional(),
    disabledAt: timeSchema.optional(),
    createdAt: timeSchema,
    createdBy: z.string(),
    links: linksSchema.extend({ deliveries: z.string() }),
  })
  .openapi("Webhook");

const secretSchema = z.string().openapi({
  example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0000000000A=",
  description: "It signs every message. It is shown this once and never again.",
});

const deliverySchema = z
  .object({
    deliveryId: z.string(),
    eventId: z.string().openapi({ description: "The event's `id`, and the header `webhook-id`." }),
    eventType: z.string(),
    status: z.enum(DELIVERY_STATUSES),
    attempts: z.number().int(),
    responseStatus: z.number().int().optional().openapi({ description: "What the receiver answered to the last attempt." }),
    lastError: z.string().optional(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    nextAttemptAt: timeSchema.optional(),
  })
  .openapi("WebhookDelivery");

const askedSchema = z.object({ deliveryId: z.string(), links: z.object({ deliveries: z.string() }) }).openapi("AskedDelivery");

const webhookParamsSchema = z.object({ webhookId: z.string().max(64) });
const deliveryParamsSchema = webhookParamsSchema.extend({ deliveryId: z.string().max(20) });

/** What the list of deliveries can be filtered by: what a cursor keeps. */
export const deliveryFiltersSchema = z.strictObject({ status: z.enum(DELIVERY_STATUSES).optional() });

export const createWebhookRoute = createRoute({
  method: "post",
  path: "/api/v1/webhooks",
  operationId: "createWebhook",
  tags: ["webhooks"],
  summary: "Have events sent to an address",
  description:
    "Signed by the Standard Webhooks convention. Each event is sent at least once, in no promised order, and tried for more than three days. " +
    `Events from now on; it takes effect at once. At most ${MAX_WEBHOOKS} webhooks may be registered. With an Idempotency-Key a repeat answers the same webhook and secret.`,
  request: {
    headers: idempotencyHeader.partial(),
    body: {
      required: true,
      ...jsonOf(
        z.strictObject({
          url: keptText(2_048)
            .min(1)
            .openapi({ example: "https://shop.example/saldo", description: "https, a public address, no redirects." }),
          eventTypes: z.array(eventTypeSchema).max(MAX_EVENT_TYPES).default([]).openapi({ description: "Without any: every type." }),
          description: keptText(200).default(""),
        }),
      ),
    },
  },
  responses: {
    201: { description: "The webhook with its secret.", ...jsonOf(webhookSchema.extend({ secret: secretSchema }).openapi("NewWebhook")) },
  },
});

export const listWebhooksRoute = createRoute({
  method: "get",
  path: "/api/v1/webhooks",
  operationId: "listWebhooks",
  tags: ["webhooks"],
  summary: "All webhooks, the newest first, without their secrets",
  request: { query: z.strictObject({ limit: limitSchema, cursor: cursorSchema.optional() }) },
  responses: {
    200: {
      description: "A page.",
      ...jsonOf(z.object({ webhooks: z.array(webhookSchema), nextCursor: nextCursorSchema }).openapi("WebhookList")),
    },
  },
});

export const readWebhookRoute = createRoute({
  method: "get",
  path: "/api/v1/webhooks/{webhookId}",
  operationId: "getWebhook",
  tags: ["webhooks"],
  summary: "One webhook, without its secrets",
  request: { params: webhookParamsSchema },
  responses: { 200: { description: "The webhook.", ...jsonOf(webhookSchema) } },
});

export const deleteWebhookRoute = createRoute({
  method: "delete",
  path: "/api/v1/webhooks/{webhookId}",
  operationId: "deleteWebhook",
  tags: ["webhooks"],
  summary: "Send nothing more to an address and forget its secrets",
  request: { params: webhookParamsSchema },
  responses: { 204: { description: "The webhook is deleted." } },
});

export const enableWebhookRoute = createRoute({
  method: "post",
  path: "/api/v1/webhooks/{webhookId}/enable",
  operationId: "enableWebhook",
  tags: ["webhooks"],
  summary: "Send events again to a webhook that was disabled",
  description:
    "A webhook is disabled when its receiver answers 410 Gone. Events of that time are not sent later; abandoned deliveries can be redelivered.",
  request: { params: webhookParamsSchema },
  responses: { 200: { description: "The webhook.", ...jsonOf(webhookSchema) } },
});

export const rotateWebhookSecretRoute = createRoute({
  method: "post",
  path: "/api/v1/webhooks/{webhookId}/secret",
  operationId: "rotateWebhookSecret",
  tags: ["webhooks"],
  summary: "Give a webhook a new secret",
  description:
    "For 24 hours messages carry the signatures of both, so that the receiver can change over at its leisure. With an Idempotency-Key a repeat " +
    "answers the same secret; without one each request makes another, and each before it goes on signing for its 24 hours. Ten may sign at a time.",
  request: { params: webhookParamsSchema, headers: idempotencyHeader.partial() },
  responses: { 201: { description: "The new secret.", ...jsonOf(z.object({ secret: secretSchema }).openapi("WebhookSecret")) } },
});

export const testWebhookRoute = createRoute({
  method: "post",
  path: "/api/v1/webhooks/{webhookId}/test",
  operationId: "testWebhook",
  tags: ["webhooks"],
  summary: "Send a test event",
  description: "Of the type `saldo.webhook.test`, whatever types the webhook asked for. The log of deliveries says what came of it.",
  request: { params: webhookParamsSchema },
  responses: { 202: { description: "It is on its way.", ...jsonOf(askedSchema) } },
});

export const listDeliveriesRoute = createRoute({
  method: "get",
  path: "/api/v1/webhooks/{webhookId}/deliveries",
  operationId: "listWebhookDeliveries",
  tags: ["webhooks"],
  summary: "What was sent to a webhook and what came of it, the newest first",
  description: "The cursor keeps the filter: the next page needs only the cursor.",
  request: {
    params: webhookParamsSchema,
    query: deliveryFiltersSchema.extend({ limit: limitSchema, cursor: cursorSchema.optional() }),
  },
  responses: {
    200: {
      description: "A page.",
      ...jsonOf(z.object({ deliveries: z.array(deliverySchema), nextCursor: nextCursorSchema }).openapi("WebhookDeliveryList")),
    },
  },
});

export const redeliverRoute = createRoute({
  method: "post",
  path: "/api/v1/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver",
  operationId: "redeliverWebhook",
  tags: ["webhooks"],
  summary: "Send an event again, now",
  description: "With the same `webhook-id` and body, whatever became of it before.",
  request: { params: deliveryParamsSchema },
  responses: { 202: { description: "It is on its way.", ...jsonOf(askedSchema) } },
});
