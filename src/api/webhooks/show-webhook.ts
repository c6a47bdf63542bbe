import type { DeliveryRecord } from "../../store/webhooks/webhook-deliveries.ts";
import type { WebhookRecord } from "../../store/webhooks/webhooks.ts";

/** Where a webhook is found on this API. */
export function webhookPath(webhookId: string): string {
  return `/api/v1/webhooks/${webhookId}`;
}

/** Where the log of a webhook's deliveries is found on this API. */
export function deliveriesPath(webhookId: string): string {
  return `${webhookPath(webhookId)}/deliveries`;
}

/** A webhook as it is answered, without its secrets. */
export function showWebhook({ webhookId, disabledAt, disabledReason, createdAt, ...webhook }: WebhookRecord) {
  return {
    webhookId,
    url: webhook.url,
    eventTypes: [...webhook.eventTypes],
    description: webhook.description,
    status: disabledAt === undefined ? ("active" as const) : ("disabled" as const),
    ...(disabledAt === undefined ? {} : { disabledAt: disabledAt.toISOString() }),
    ...(disabledReason === undefined ? {} : { disabledReason }),
    createdAt: new Date(createdAt).toISOString(),
    createdBy: webhook.createdBy,
    links: { self: webhookPath(webhookId), deliveries: deliveriesPath(webhookId) },
  };
}

/** A delivery as it is answered. */
export function showDelivery({ responseStatus, lastError, nextAttemptAt, ...delivery }: DeliveryRecord) {
  return {
    ...delivery,
    createdAt: delivery.createdAt.toISOString(),
    updatedAt: delivery.updatedAt.toISOString(),
    ...(responseStatus === undefined ? {} : { responseStatus }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(nextAttemptAt === undefined ? {} : { nextAttemptAt: nextAttemptAt.toISOString() }),
  };
}
