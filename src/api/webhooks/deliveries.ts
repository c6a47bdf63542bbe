import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { WEBHOOK_TEST_EVENT } from "../../contract/webhooks.ts";
import { insertDeliveries, listDeliveries, requestRedelivery } from "../../store/webhooks/webhook-deliveries.ts";
import { endWebhookRest } from "../../store/webhooks/webhooks.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { SERIAL_ID_SHAPE } from "../http/cursor.ts";
import { definedOnly, filteredPlace, startOfFilteredPage, type FilteredList } from "../http/filtered-cursor.ts";
import { pageOf } from "../http/page.ts";
import type { Routes } from "../http/routes.ts";
import { findActiveWebhook, findWebhook, noteWebhookAct } from "./find-webhook.ts";
import { deliveriesPath, showDelivery } from "./show-webhook.ts";
import { deliveryFiltersSchema, listDeliveriesRoute, redeliverRoute, testWebhookRoute } from "./webhooks-schemas.ts";

const listOf = (webhookId: string): FilteredList => ({
  name: `deliveries of ${webhookId}`,
  schema: deliveryFiltersSchema,
  shapes: [SERIAL_ID_SHAPE],
});

/** What was sent to a webhook, and sending more: a test event, and an event once again. */
export function addWebhookDeliveryRoutes(routes: Routes, { db }: Pick<ApiDeps, "db">): void {
  routes.add(testWebhookRoute, { access: ADMINS, problems: ["WEBHOOK_NOT_FOUND", "WEBHOOK_DISABLED"] }, async (context) => {
    const { webhookId } = await findActiveWebhook(db, context.req.valid("param").webhookId);
    const body = testEvent(webhookId, new Date());
    await endWebhookRest(db, webhookId);
    const [deliveryId] = await insertDeliveries(db, [{ webhookId, eventId: body.id, eventType: body.type, body: JSON.stringify(body) }]);
    return context.json({ deliveryId: String(deliveryId), links: { deliveries: deliveriesPath(webhookId) } }, 202);
  });

  routes.add(listDeliveriesRoute, { access: ADMINS, problems: ["WEBHOOK_NOT_FOUND", "INVALID_CURSOR"] }, async (context) => {
    const { webhookId } = await findWebhook(db, context.req.valid("param").webhookId);
    const { limit, cursor, ...named } = context.req.valid("query");
    const list = listOf(webhookId);
    const { filters, position } = startOfFilteredPage(list, definedOnly(named), cursor);
    const { status } = deliveryFiltersSchema.parse(filters);
    const [beforeId] = position;
    const rows = await listDeliveries(db, {
      webhookId,
      limit,
      ...(status === undefined ? {} : { status }),
      ...(beforeId === undefined ? {} : { beforeId }),
    });
    const { page, nextCursor } = pageOf(rows, limit, list.name, ({ deliveryId }) => filteredPlace(filters, [deliveryId]));
    return context.json({ deliveries: page.map(showDelivery), nextCursor }, 200);
  });

  const problems = ["WEBHOOK_NOT_FOUND", "DELIVERY_NOT_FOUND", "WEBHOOK_DISABLED"] as const;
  routes.add(redeliverRoute, { access: ADMINS, problems }, async (context) => {
    const { webhookId } = await findActiveWebhook(db, context.req.valid("param").webhookId);
    const { deliveryId } = context.req.valid("param");
    await noteWebhookAct(db, context, "webhook.redelivered", webhookId, { deliveryId });
    const isSent = SERIAL_ID_SHAPE.test(deliveryId) && (await requestRedelivery(db, { webhookId, deliveryId }));
    if (!isSent) throw new DomainError("DELIVERY_NOT_FOUND");
    return context.json({ deliveryId, links: { deliveries: deliveriesPath(webhookId) } }, 202);
  });
}

function testEvent(webhookId: string, at: Date) {
  return {
    specversion: "1.0",
    id: `test/${uuidv7()}`,
    source: "saldo",
    type: WEBHOOK_TEST_EVENT,
    subject: webhookId,
    time: at.toISOString(),
    datacontenttype: "application/json",
    data: { webhook_id: webhookId },
  };
}
