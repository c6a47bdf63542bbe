import { DomainError } from "../../base/errors.ts";
import type { Db } from "../../store/postgres/database.ts";
import { getWebhook, type WebhookRecord } from "../../store/webhooks/webhooks.ts";
import type { ApiContext } from "../api-env.ts";
import { noteAct } from "../http/note-act.ts";

/** A webhook that is not deleted. Throws: WEBHOOK_NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findWebhook(db: Db, webhookId: string): Promise<WebhookRecord> {
  const webhook = await getWebhook(db, webhookId);
  if (webhook === undefined) throw new DomainError("WEBHOOK_NOT_FOUND");
  return webhook;
}

/** A webhook that events are sent to. Throws: WEBHOOK_NOT_FOUND, WEBHOOK_DISABLED, UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findActiveWebhook(db: Db, webhookId: string): Promise<WebhookRecord> {
  const webhook = await findWebhook(db, webhookId);
  if (webhook.disabledAt !== undefined) throw new DomainError("WEBHOOK_DISABLED");
  return webhook;
}

/** Appends an act on a webhook to the operators' book. Not safe to retry. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export function noteWebhookAct(
  db: Db,
  context: ApiContext,
  act: string,
  webhookId: string,
  details: Readonly<Record<string, string>> = {},
): Promise<void> {
  return noteAct(db, context, { act, subjectType: "webhook", subjectId: webhookId, reason: "asked for", details });
}
