import type { WebhookPort } from "../../activities/activity-deps.ts";
import { createWebhookSender } from "../../src/adapters/webhook-http.ts";
import type { Config } from "../../src/config.ts";
import { isPublicAddress } from "../../src/domain/webhooks/webhook-address.ts";
import { openSecret } from "../../src/domain/webhooks/webhook-secret.ts";

type WebhookConfig = Pick<Config, "WEBHOOK_ALLOW_HTTP" | "WEBHOOK_ALLOW_PRIVATE" | "WEBHOOK_TIMEOUT_MS" | "WEBHOOK_ENCRYPTION_SECRET">;

/** The sender of webhooks by the configuration. */
export function createWebhookPort(config: WebhookConfig): WebhookPort {
  const key = webhookKeyOf(config);
  const sender = createWebhookSender({
    mayConnectTo: (address) => config.WEBHOOK_ALLOW_PRIVATE || isPublicAddress(address),
    allowHttp: config.WEBHOOK_ALLOW_HTTP,
    timeoutMs: config.WEBHOOK_TIMEOUT_MS,
    userAgent: "Saldo-Webhooks/1",
    nowMs: Date.now,
  });
  return { send: sender.send, openSecret: (sealed, webhookId) => openSecret(sealed, webhookId, key) };
}

/** The key that the secrets of webhooks are sealed with; undefined when none is configured. */
export function webhookKeyOf({ WEBHOOK_ENCRYPTION_SECRET: secret }: Pick<Config, "WEBHOOK_ENCRYPTION_SECRET">): Buffer | undefined {
  return secret === undefined ? undefined : Buffer.from(secret, "base64");
}
