import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import { WEBHOOK_TEST_EVENT } from "../../contract/webhooks.ts";
import { webhookUrlProblem } from "../../domain/webhooks/webhook-address.ts";
import { makeWebhookSecret, openSecret, sealSecret } from "../../domain/webhooks/webhook-secret.ts";
import { recordAct } from "../../store/operators/operator-acts.ts";
import { insertDeliveries, listDeliveries, requestRedelivery, type DeliveryRecord } from "../../store/webhooks/webhook-deliveries.ts";
import {
  createWebhook,
  deleteWebhook,
  enableWebhook,
  findRegistration,
  getWebhook,
  hasRoomForWebhook,
  listWebhooks,
  MAX_WEBHOOKS,
  rotateWebhookSecret,
  type WebhookRecord,
} from "../../store/webhooks/webhooks.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { decodeCursor } from "../http/cursor.ts";
import { markReplayed, readOptionalIdempotencyKey } from "../http/idempotency.ts";
import { pageOf, startOfPage } from "../http/page.ts";
import type { Routes } from "../http/routes.ts";
import {
  createWebhookRoute,
  deleteWebhookRoute,
  enableWebhookRoute,
  listDeliveriesRoute,
  listWebhooksRoute,
  readWebhookRoute,
  redeliverRoute,
  rotateWebhookSecretRoute,
  testWebhookRoute,
} from "./webhooks-schemas.ts";

const LIST = "webhooks";
const REGISTRATION_ROUTE = "webhooks";
const ROTATION_ROUTE = "webhooks/secret";
const BIGINT = /^[1-9]\d{0,17}$/;
/** As long as the secret before a new one goes on signing. */
const ROTATION_MS = 86_400_000;

/** Addresses that events are sent to, and what became of each event there. */
export function addWebhookRoutes(routes: Routes, { db, settings }: ApiDeps): void {
  const { webhooks: policy = { allowHttp: false, allowPrivate: false } } = settings;
  const options = (
    ...problems: (
      | "WEBHOOK_NOT_FOUND"
      | "DELIVERY_NOT_FOUND"
      | "WEBHOOK_DISABLED"
      | "INVALID_WEBHOOK_URL"
      | "TOO_MANY_WEBHOOKS"
      | "INVALID_CURSOR"
      | "REQUEST_IN_FLIGHT"
    )[]
  ) => ({
    access: ADMINS,
    problems: [...problems],
  });

  // The answers themselves are kept nowhere, as secrets stand in them; a repeat finds the sealed one by its key.
  const keyed = (route: string) => ({ idempotency: { route, required: false, memory: "operation" as const } });

  const registration = { ...options("INVALID_WEBHOOK_URL", "TOO_MANY_WEBHOOKS", "REQUEST_IN_FLIGHT"), ...keyed(REGISTRATION_ROUTE) };
  routes.add(createWebhookRoute, registration, async (context) => {
    const { url, eventTypes, description } = context.req.valid("json");
    const problem = webhookUrlProblem(url, policy);
    if (problem !== undefined) throw new DomainError("INVALID_WEBHOOK_URL", `the address ${problem}`, { pointer: "/url" });
    const { href, host } = new URL(url);
    const identity = readOptionalIdempotencyKey(context, REGISTRATION_ROUTE);
    const webhookId = identity?.id ?? uuidv7();
    const earlier = identity === undefined ? undefined : await findRegistration(db, webhookId, identity.key);
    if (earlier !== undefined) {
      const { webhook, isDeleted, sealedSecret } = earlier;
      const isSame = hashOf([webhook.url, webhook.eventTypes, webhook.description]) === hashOf([href, eventTypes, description]);
      if (!isSame) throw new DomainError("IDEMPOTENCY_CONFLICT");
      if (isDeleted || sealedSecret === undefined)
        throw new DomainError("IDEMPOTENCY_CONFLICT", "the webhook of this key was deleted, or has another secret by now");
      markReplayed(context);
      const secret = openSecret(sealedSecret, webhookId, policy.encryptionKey);
      return context.json({ ...show(webhook), secret }, 201, { location: pathOf(webhookId) });
    }
    if (!(await hasRoomForWebhook(db))) throw tooManyWebhooks();
    const secret = makeWebhookSecret();
    await note(context, "webhook.created", webhookId, { host });
    const sealedSecret = sealSecret(secret, webhookId, policy.encryptionKey);
    const createdBy = context.get("caller");
    const webhook = await createWebhook(db, {
      webhookId,
      url: href,
      eventTypes,
      description,
      createdBy,
      sealedSecret,
      ...(identity === undefined ? {} : { requestKey: identity.key }),
    });
    if (webhook === undefined) throw (await hasRoomForWebhook(db)) ? new DomainError("REQUEST_IN_FLIGHT") : tooManyWebhooks();
    return context.json({ ...show(webhook), secret }, 201, { location: pathOf(webhookId) });
  });

  routes.add(listWebhooksRoute, options("INVALID_CURSOR"), async (context) => {
    const { limit, cursor } = context.req.valid("query");
    const rows = await listWebhooks(db, { limit, ...startOfPage(LIST, cursor) });
    const { page, nextCursor } = pageOf(rows, limit, LIST, ({ createdAt, webhookId }) => [createdAt, webhookId]);
    return context.json({ webhooks: page.map(show), nextCursor }, 200);
  });

  routes.add(readWebhookRoute, options("WEBHOOK_NOT_FOUND"), async (context) =>
    context.json(show(await read(context.req.valid("param").webhookId)), 200),
  );

  routes.add(deleteWebhookRoute, options("WEBHOOK_NOT_FOUND"), async (context) => {
    const { webhookId } = await read(context.req.valid("param").webhookId);
    await note(context, "webhook.deleted", webhookId);
    if (!(await deleteWebhook(db, webhookId))) throw new DomainError("WEBHOOK_NOT_FOUND");
    return context.body(null, 204);
  });

  routes.add(enableWebhookRoute, options("WEBHOOK_NOT_FOUND"), async (context) => {
    const { webhookId } = await read(context.req.valid("param").webhookId);
    await note(context, "webhook.enabled", webhookId);
    await enableWebhook(db, webhookId);
    return context.json(show(await read(webhookId)), 200);
  });

  const rotation = { ...options("WEBHOOK_NOT_FOUND"), ...keyed(ROTATION_ROUTE) };
  routes.add(rotateWebhookSecretRoute, rotation, async (context) => {
    const { webhookId } = await read(context.req.valid("param").webhookId);
    const identity = readOptionalIdempotencyKey(context, ROTATION_ROUTE);
    const secret = makeWebhookSecret();
    await note(context, "webhook.secret-rotated", webhookId);
    const rotated = await rotateWebhookSecret(db, {
      webhookId,
      sealedSecret: sealSecret(secret, webhookId, policy.encryptionKey),
      overlapMs: ROTATION_MS,
      ...(identity === undefined ? {} : { requestKey: identity.key }),
    });
    switch (rotated.outcome) {
      case "rotated":
        return context.json({ secret }, 201);
      case "repeated":
        markReplayed(context);
        return context.json({ secret: openSecret(rotated.sealedSecret, webhookId, policy.encryptionKey) }, 201);
      case "too many":
        throw new DomainError("RATE_LIMITED", "as many secrets of this webhook sign as may at a time", {
          retryAfterSeconds: String(Math.max(1, Math.ceil(rotated.retryAfterMs / 1_000))),
        });
      case "not found":
        throw new DomainError("WEBHOOK_NOT_FOUND");
    }
  });

  routes.add(testWebhookRoute, options("WEBHOOK_NOT_FOUND", "WEBHOOK_DISABLED"), async (context) => {
    const { webhookId } = await readActive(context.req.valid("param").webhookId);
    const body = testEvent(webhookId, new Date());
    const [deliveryId] = await insertDeliveries(db, [{ webhookId, eventId: body.id, eventType: body.type, body: JSON.stringify(body) }]);
    return context.json({ deliveryId: String(deliveryId), links: { deliveries: `${pathOf(webhookId)}/deliveries` } }, 202);
  });

  routes.add(listDeliveriesRoute, options("WEBHOOK_NOT_FOUND", "INVALID_CURSOR"), async (context) => {
    const { webhookId } = await read(context.req.valid("param").webhookId);
    const { status, limit, cursor } = context.req.valid("query");
    const list = `deliveries of ${webhookId} ${status ?? "all"}`;
    const [beforeId] = cursor === undefined ? [] : decodeCursor(list, cursor, [BIGINT]);
    const rows = await listDeliveries(db, {
      webhookId,
      limit,
      ...(status === undefined ? {} : { status }),
      ...(beforeId === undefined ? {} : { beforeId }),
    });
    const { page, nextCursor } = pageOf(rows, limit, list, ({ deliveryId }) => [deliveryId]);
    return context.json({ deliveries: page.map(showDelivery), nextCursor }, 200);
  });

  routes.add(redeliverRoute, options("WEBHOOK_NOT_FOUND", "DELIVERY_NOT_FOUND", "WEBHOOK_DISABLED"), async (context) => {
    const { webhookId } = await readActive(context.req.valid("param").webhookId);
    const { deliveryId } = context.req.valid("param");
    await note(context, "webhook.redelivered", webhookId, { deliveryId });
    if (!BIGINT.test(deliveryId) || !(await requestRedelivery(db, { webhookId, deliveryId }))) throw new DomainError("DELIVERY_NOT_FOUND");
    return context.json({ deliveryId, links: { deliveries: `${pathOf(webhookId)}/deliveries` } }, 202);
  });

  async function read(webhookId: string): Promise<WebhookRecord> {
    const webhook = await getWebhook(db, webhookId);
    if (webhook === undefined) throw new DomainError("WEBHOOK_NOT_FOUND");
    return webhook;
  }

  async function readActive(webhookId: string): Promise<WebhookRecord> {
    const webhook = await read(webhookId);
    if (webhook.disabledAt !== undefined) throw new DomainError("WEBHOOK_DISABLED");
    return webhook;
  }

  function note(context: ApiContext, act: string, subjectId: string, details: Record<string, string> = {}): Promise<void> {
    const correlationId = context.get("correlationId");
    return recordAct(db, {
      actor: context.get("caller"),
      act,
      subjectType: "webhook",
      subjectId,
      reason: "asked for",
      details,
      correlationId,
    });
  }
}

function tooManyWebhooks(): DomainError {
  return new DomainError("TOO_MANY_WEBHOOKS", `at most ${MAX_WEBHOOKS} webhooks may be registered`);
}

function pathOf(webhookId: string): string {
  return `/api/v1/webhooks/${webhookId}`;
}

function show({ webhookId, disabledAt, disabledReason, createdAt, ...webhook }: WebhookRecord) {
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
    links: { self: pathOf(webhookId), deliveries: `${pathOf(webhookId)}/deliveries` },
  };
}

function showDelivery({ responseStatus, lastError, nextAttemptAt, ...delivery }: DeliveryRecord) {
  return {
    ...delivery,
    createdAt: delivery.createdAt.toISOString(),
    updatedAt: delivery.updatedAt.toISOString(),
    ...(responseStatus === undefined ? {} : { responseStatus }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(nextAttemptAt === undefined ? {} : { nextAttemptAt: nextAttemptAt.toISOString() }),
  };
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
