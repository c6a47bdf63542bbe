import { DomainError } from "../../base/errors.ts";
import { deleteWebhook, enableWebhook, listWebhooks } from "../../store/webhooks/webhooks.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { pageOf, startOfPage } from "../http/page.ts";
import type { Routes } from "../http/routes.ts";
import { findWebhook, noteWebhookAct } from "./find-webhook.ts";
import { showWebhook } from "./show-webhook.ts";
import { deleteWebhookRoute, enableWebhookRoute, listWebhooksRoute, readWebhookRoute } from "./webhooks-schemas.ts";

const LIST = "webhooks";

/** Reading, enabling and deleting the webhooks that are registered. */
export function addManageWebhookRoutes(routes: Routes, { db }: Pick<ApiDeps, "db">): void {
  routes.add(listWebhooksRoute, { access: ADMINS, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor } = context.req.valid("query");
    const rows = await listWebhooks(db, { limit, ...startOfPage(LIST, cursor) });
    const { page, nextCursor } = pageOf(rows, limit, LIST, ({ createdAt, webhookId }) => [createdAt, webhookId]);
    return context.json({ webhooks: page.map(showWebhook), nextCursor }, 200);
  });

  routes.add(readWebhookRoute, { access: ADMINS, problems: ["WEBHOOK_NOT_FOUND"] }, async (context) =>
    context.json(showWebhook(await findWebhook(db, context.req.valid("param").webhookId)), 200),
  );

  routes.add(deleteWebhookRoute, { access: ADMINS, problems: ["WEBHOOK_NOT_FOUND"] }, async (context) => {
    const { webhookId } = await findWebhook(db, context.req.valid("param").webhookId);
    await noteWebhookAct(db, context, "webhook.deleted", webhookId);
    if (!(await deleteWebhook(db, webhookId))) throw new DomainError("WEBHOOK_NOT_FOUND");
    return context.body(null, 204);
  });

  routes.add(enableWebhookRoute, { access: ADMINS, problems: ["WEBHOOK_NOT_FOUND"] }, async (context) => {
    const { webhookId } = await findWebhook(db, context.req.valid("param").webhookId);
    await noteWebhookAct(db, context, "webhook.enabled", webhookId);
    await enableWebhook(db, webhookId);
    return context.json(showWebhook(await findWebhook(db, webhookId)), 200);
  });
}
