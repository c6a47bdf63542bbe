import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import { webhookUrlProblem } from "../../domain/webhooks/webhook-address.ts";
import { makeWebhookSecret, openSecret, sealSecret } from "../../domain/webhooks/webhook-secret.ts";
import { createWebhook, findRegistration, hasRoomForWebhook, MAX_WEBHOOKS, type Registration } from "../../store/webhooks/webhooks.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { markReplayed, readOptionalIdempotencyKey } from "../http/idempotency.ts";
import type { Routes } from "../http/routes.ts";
import { noteWebhookAct } from "./find-webhook.ts";
import { showWebhook, webhookPath } from "./show-webhook.ts";
import { createWebhookRoute } from "./webhooks-schemas.ts";

const ROUTE = "webhooks";

/** What a registration asks for. */
interface Wanted {
  readonly url: string;
  readonly eventTypes: readonly string[];
  readonly description: string;
}

/** Registering a webhook. The answer is kept nowhere, as a secret stands in it; a repeat finds the sealed secret by its key. */
export function addRegisterWebhookRoute(routes: Routes, { db, settings }: Pick<ApiDeps, "db" | "settings">): void {
  const { webhooks: policy = { allowHttp: false, allowPrivate: false } } = settings;

  routes.add(
    createWebhookRoute,
    {
      access: ADMINS,
      idempotency: { route: ROUTE, required: false, memory: "operation" },
      problems: ["INVALID_WEBHOOK_URL", "TOO_MANY_WEBHOOKS", "REQUEST_IN_FLIGHT"],
    },
    async (context) => {
      const { url, eventTypes, description } = context.req.valid("json");
      const problem = webhookUrlProblem(url, policy);
      if (problem !== undefined) throw new DomainError("INVALID_WEBHOOK_URL", `the address ${problem}`, { pointer: "/url" });
      const { href, host } = new URL(url);
      const wanted: Wanted = { url: href, eventTypes, description };
      const identity = readOptionalIdempotencyKey(context, ROUTE);
      const webhookId = identity?.id ?? uuidv7();
      const location = webhookPath(webhookId);

      const earlier = identity === undefined ? undefined : await findRegistration(db, webhookId, identity.key);
      if (earlier !== undefined) {
        const secret = openSecret(sealedSecretOf(earlier, wanted), webhookId, policy.encryptionKey);
        markReplayed(context);
        return context.json({ ...showWebhook(earlier.webhook), secret }, 201, { location });
      }
      if (!(await hasRoomForWebhook(db))) throw tooManyWebhooks();
      await noteWebhookAct(db, context, "webhook.created", webhookId, { host });
      const secret = makeWebhookSecret();
      const webhook = await createWebhook(db, {
        ...wanted,
        webhookId,
        createdBy: context.get("caller"),
        sealedSecret: sealSecret(secret, webhookId, policy.encryptionKey),
        ...(identity === undefined ? {} : { requestKey: identity.key }),
      });
      if (webhook === undefined) throw (await hasRoomForWebhook(db)) ? new DomainError("REQUEST_IN_FLIGHT") : tooManyWebhooks();
      return context.json({ ...showWebhook(webhook), secret }, 201, { location });
    },
  );
}

/** The secret that a request was given when it came first. Throws: IDEMPOTENCY_CONFLICT when it asks for another webhook or none is left. */
function sealedSecretOf({ webhook, isDeleted, sealedSecret }: Registration, { url, eventTypes, description }: Wanted): string {
  // The types are a set: in another order they ask for the same webhook.
  const asSet = (types: readonly string[]) => [...new Set(types)].sort();
  const isSame = hashOf([webhook.url, asSet(webhook.eventTypes), webhook.description]) === hashOf([url, asSet(eventTypes), description]);
  if (!isSame) throw new DomainError("IDEMPOTENCY_CONFLICT");
  if (isDeleted || sealedSecret === undefined)
    throw new DomainError("IDEMPOTENCY_CONFLICT", "the webhook of this key was deleted, or has another secret by now");
  return sealedSecret;
}

function tooManyWebhooks(): DomainError {
  return new DomainError("TOO_MANY_WEBHOOKS", `at most ${MAX_WEBHOOKS} webhooks may be registered`);
}
