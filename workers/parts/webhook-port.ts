import type { WebhookPort } from "../../activities/activity-deps.ts";
import { createWebhookSender } from "../../src/adapters/webhook-http.ts";
import type { Config } from "../../src/config.ts";
import { isPublicAddress } from "../../src/domain/webhooks/webhook-address.ts";
import { openSecret } from "../../src/domain/webhooks/webhook-secret.ts";

type WebhookConfig = Pick<Config, "WEBHOOK_ALLOW_HTTP" | "WEBHOOK_ALLOW_PRIVATE" | "WEBHOOK_TIMEOUT_MS" | "WEBHOOK_ENCRYPTION_SECRET">;

/** The way to receivers of webhooks by the configuration. */
export function createWebhookPort(config: WebhookConfig): WebhookPort {
  const key = config.WEBHOOK_ENCRYPTION_SECRET === undefined ? undefined : Buffer.from(config.WEBHOOK_ENCRYPTION_SECRET, "base64");
  const sender = createWebhookSender({
    mayConnectTo: (address) => config.WEBHOOK_ALLOW_PRIVATE || isPublicAddress(address),
    allowHttp: config.WEBHOOK_ALLOW_HTTP,
    timeoutMs: config.WEBHOOK_TIMEOUT_MS,
    userAgent: "Saldo-Webhooks/1",
    nowMs: Date.now,
  });
  return { send: sender.send, openSecret: (sealed, webhookId) => openSecret(sealed, webhookId, key) };
}
