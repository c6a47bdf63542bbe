import { DomainError } from "../../base/errors.ts";
import { hashApiSecret, makeApiKeyId, makeApiSecret, writeApiKey, type ApiKeyParts } from "../../domain/identity/api-key.ts";
import { createApiKey, getApiKey, listApiKeys, rotateApiKey, type ApiKeyRecord } from "../../store/identity/api-keys.ts";
import { revokeKey } from "../../use-cases/identity/revoke-key.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { InvalidRequest } from "../http/error-handler.ts";
import { pageOf, startOfPage } from "../http/page.ts";
import { actorOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import {
  createApiKeyRoute,
  DEFAULT_OVERLAP_SECONDS,
  listApiKeysRoute,
  readApiKeyRoute,
  revokeApiKeyRoute,
  rotateApiKeyRoute,
} from "./api-keys-schemas.ts";

const LIST = "api-keys";
const YEAR_MS = 365 * 86_400_000;
const MAX_YEARS = 5;

/** The keys of services: making, reading, rotating and revoking them. */
export function addApiKeyRoutes(routes: Routes, deps: ApiDeps): void {
  const { db, identity } = deps;

  routes.add(createApiKeyRoute, { access: ADMINS }, async (context) => {
    const { name, subject, scopes, expiresAt } = context.req.valid("json");
    const parts = newParts(makeApiKeyId());
    const key = await createApiKey(db, {
      keyId: parts.keyId,
      name,
      subject,
      scopes,
      expiresAt: readExpiry(expiresAt) ?? new Date(Date.now() + YEAR_MS),
      secretHash: hashApiSecret(parts.secret),
      ...actorOf(context),
    });
    return context.json(showOnce(key, parts), 201, { location: pathOf(parts.keyId) });
  });

  routes.add(listApiKeysRoute, { access: ADMINS, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor } = context.req.valid("query");
    const rows = await listApiKeys(db, { limit, ...startOfPage(LIST, cursor) });
    const { page, nextCursor } = pageOf(rows, limit, LIST, ({ createdAt, keyId }) => [createdAt, keyId]);
    return context.json({ apiKeys: page.map(show), nextCursor }, 200);
  });

  routes.add(readApiKeyRoute, { access: ADMINS, problems: ["API_KEY_NOT_FOUND"] }, async (context) => {
    const key = await getApiKey(db, context.req.valid("param").keyId);
    if (key === undefined) throw new DomainError("API_KEY_NOT_FOUND");
    return context.json(show(key), 200);
  });

  routes.add(rotateApiKeyRoute, { access: ADMINS, bodyOptional: true, problems: ["API_KEY_NOT_FOUND"] }, async (context) => {
    const { overlapSeconds = DEFAULT_OVERLAP_SECONDS, expiresAt } = context.req.valid("json");
    const parts = newParts(context.req.valid("param").keyId);
    const rotation = await rotateApiKey(db, {
      keyId: parts.keyId,
      secretHash: hashApiSecret(parts.secret),
      overlapMs: overlapSeconds * 1_000,
      expiresAt: readExpiry(expiresAt),
      ...actorOf(context),
    });
    switch (rotation.outcome) {
      case "rotated":
        identity.apiKeys.forget(parts.keyId);
        return context.json(showOnce(rotation.key, parts), 201);
      case "too many":
        throw new DomainError("RATE_LIMITED", "as many secrets open this key as may at a time; with overlapSeconds 0 they end", {
          retryAfterSeconds: String(Math.max(1, Math.ceil(rotation.retryAfterMs / 1_000))),
        });
      case "not live":
        throw new DomainError("API_KEY_NOT_FOUND");
    }
  });

  routes.add(revokeApiKeyRoute, { access: ADMINS, problems: ["API_KEY_NOT_FOUND"] }, async (context) => {
    const { keyId } = context.req.valid("param");
    const { reason = "asked for" } = context.req.valid("query");
    return context.json(show(await revokeKey(deps, { keyId, reason, ...actorOf(context) })), 200);
  });
}

function newParts(keyId: string): ApiKeyParts {
  return { keyId, secret: makeApiSecret(keyId) };
}

function readExpiry(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const leftMs = new Date(text).getTime() - Date.now();
  if (!(leftMs > 0 && leftMs <= MAX_YEARS * YEAR_MS + 2 * 86_400_000))
    throw new InvalidRequest([{ pointer: "/expiresAt", message: `must lie in the future, within ${MAX_YEARS} years` }]);
  return new Date(text);
}

function pathOf(keyId: string): string {
  return `/api/v1/api-keys/${keyId}`;
}

function show({ keyId, scopes, createdAt, expiresAt, rotatedAt, revokedAt, lastUsedAt, replacedSecretsEndAt, ...key }: ApiKeyRecord) {
  return {
    keyId,
    name: key.name,
    subject: key.subject,
    scopes: [...scopes],
    status: key.status,
    prefix: writeApiKey({ keyId, secret: "" }),
    createdAt: new Date(createdAt).toISOString(),
    createdBy: key.createdBy,
    expiresAt: expiresAt.toISOString(),
    ...(rotatedAt === undefined ? {} : { rotatedAt: rotatedAt.toISOString() }),
    ...(replacedSecretsEndAt === undefined ? {} : { replacedSecretsEndAt: replacedSecretsEndAt.toISOString() }),
    ...(revokedAt === undefined ? {} : { revokedAt: revokedAt.toISOString() }),
    ...(lastUsedAt === undefined ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
    links: { self: pathOf(keyId) },
  };
}

function showOnce(key: ApiKeyRecord, parts: ApiKeyParts) {
  return { ...show(key), key: writeApiKey(parts), clientSecret: parts.secret };
}
