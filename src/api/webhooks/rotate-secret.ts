import { DomainError } from "../../base/errors.ts";
import { makeWebhookSecret, openSecret, sealSecret } from "../../domain/webhooks/webhook-secret.ts";
import { rotateWebhookSecret } from "../../store/webhooks/webhooks.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { markReplayed, readOptionalIdempotencyKey } from "../http/idempotency.ts";
import type { Routes } from "../http/routes.ts";
import { findWebhook, noteWebhookAct } from "./find-webhook.ts";
import { rotateWebhookSecretRoute } from "./webhooks-schemas.ts";

const ROUTE = "webhooks/secret";
/** How long the earlier secret goes on signing beside the new one. */
const OVERLAP_MS = 86_400_000;

/** A new secret for a webhook. The answer is kept nowhere, as the secret stands in it; a repeat finds the sealed secret by its key. */
export function addRotateSecretRoute(routes: Routes, { db, settings }: Pick<ApiDeps, "db" | "settings">): void {
  const encryptionKey = settings.webhooks?.encryptionKey;

  routes.add(
    rotateWebhookSecretRoute,
    { access: ADMINS, idempotency: { route: ROUTE, required: false, memory: "operation" }, problems: ["WEBHOOK_NOT_FOUND"] },
    async (context) => {
      const { webhookId } = await findWebhook(db, context.req.valid("param").webhookId);
      const identity = readOptionalIdempotencyKey(context, ROUTE);
      const secret = makeWebhookSecret();
      await noteWebhookAct(db, context, "webhook.secret-rotated", webhookId);
      const rotated = await rotateWebhookSecret(db, {
        webhookId,
        sealedSecret: sealSecret(secret, webhookId, encryptionKey),
        overlapMs: OVERLAP_MS,
        ...(identity === undefined ? {} : { requestKey: identity.key }),
      });
      switch (rotated.outcome) {
        case "rotated":
          return context.json({ secret }, 201);
        case "repeated":
          markReplayed(context);
          return context.json({ secret: openSecret(rotated.sealedSecret, webhookId, encryptionKey) }, 201);
        case "too many":
          throw new DomainError("RATE_LIMITED", "this webhook has as many signing secrets as it may have at a time", {
            retryAfterSeconds: String(Math.max(1, Math.ceil(rotated.retryAfterMs / 1_000))),
          });
        case "not found":
          throw new DomainError("WEBHOOK_NOT_FOUND");
      }
    },
  );
}
