import { createRoute, z } from "@hono/zod-openapi";
import { readScopes, SCOPES } from "../../contract/scopes.ts";
import {
  cursorSchema,
  jsonOf,
  keptText,
  limitSchema,
  linksSchema,
  nextCursorSchema,
  timeSchema,
  userIdSchema,
  wholeNumber,
} from "../http/common-schemas.ts";
import { momentSchema } from "../http/moment-schema.ts";

const DAY_SECONDS = 86_400;
/** The longest that a secret may go on after it was replaced. */
const MAX_OVERLAP_SECONDS = 7 * DAY_SECONDS;

const scopesSchema = z
  .array(z.string().max(64))
  .min(1, "must name at least one scope")
  .max(SCOPES.length * 2)
  .transform((words, context) => {
    const scopes = readScopes(words);
    if (scopes === undefined)
      context.addIssue({ code: "custom", message: `must be of ${SCOPES.join(", ")}, or of such as ledger:* for both` });
    return scopes ?? [];
  })
  .openapi({
    type: "array",
    items: { type: "string" },
    example: ["ledger:write", "orders:*"],
    description: `What of the role \`service\` the key may use: ${SCOPES.map((scope) => `\`${scope}\``).join(", ")}; \`ledger:*\` is both of the ledger. \`write\` does not mean \`read\`.`,
  });

const apiKeySchema = z
  .object({
    keyId: z.string().openapi({ description: "Also the `client_id` of client credentials." }),
    name: z.string(),
    subject: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    status: z.enum(["active", "expired", "ended"]).openapi({
      description: "`ended`: the key was revoked, or all tokens of its subject were, or the login of its subject is disabled.",
    }),
    prefix: z.string().openapi({ example: "saldo_live_abcdefghijklmnop_", description: "What the key begins with, to recognise it by." }),
    createdAt: timeSchema,
    createdBy: z.string(),
    expiresAt: timeSchema,
    rotatedAt: timeSchema.optional(),
    replacedSecretsEndAt: timeSchema
      .optional()
      .openapi({ description: "Until when a secret from before the last rotation opens the key." }),
    revokedAt: timeSchema.optional(),
    lastUsedAt: timeSchema.optional().openapi({ description: "To the minute." }),
    links: linksSchema,
  })
  .openapi("ApiKey");

const shownKeySchema = apiKeySchema
  .extend({
    key: z.string().openapi({ description: "For `Authorization: Bearer`. It is shown this once: only its SHA-256 is kept." }),
    clientSecret: z.string().openapi({ description: "The part of the key that is the `client_secret` of client credentials." }),
  })
  .openapi("NewApiKey");

const expiresAtSchema = momentSchema.optional();
const paramsSchema = z.object({ keyId: z.string().max(64) });

export const createApiKeyRoute = createRoute({
  method: "post",
  path: "/api/v1/api-keys",
  operationId: "createApiKey",
  tags: ["auth"],
  summary: "Make a key for a service",
  description:
    "The key has the role `service`, narrowed to its scopes. It is shown in this answer alone. A client that lost the answer makes another key and revokes the one it finds in the list.",
  request: {
    body: {
      required: true,
      ...jsonOf(
        z.strictObject({
          name: keptText(100).min(1, "must not be empty").openapi({ example: "billing, production" }),
          subject: userIdSchema.openapi({
            description:
              "The service that it speaks for: the `sub` of its requests, which signs operations, scopes Idempotency-Keys and is counted by the limits.",
          }),
          scopes: scopesSchema,
          expiresAt: expiresAtSchema.openapi({ description: "At most five years from now; a year from now without it." }),
        }),
      ),
    },
  },
  responses: { 201: { description: "The key.", ...jsonOf(shownKeySchema) } },
});

export const listApiKeysRoute = createRoute({
  method: "get",
  path: "/api/v1/api-keys",
  operationId: "listApiKeys",
  tags: ["auth"],
  summary: "All keys, the newest first, also those that have ended, without their secrets",
  request: { query: z.strictObject({ limit: limitSchema, cursor: cursorSchema.optional() }) },
  responses: {
    200: {
      description: "A page.",
      ...jsonOf(z.object({ apiKeys: z.array(apiKeySchema), nextCursor: nextCursorSchema }).openapi("ApiKeyList")),
    },
  },
});

export const readApiKeyRoute = createRoute({
  method: "get",
  path: "/api/v1/api-keys/{keyId}",
  operationId: "getApiKey",
  tags: ["auth"],
  summary: "One key, without its secrets",
  request: { params: paramsSchema },
  responses: { 200: { description: "The key.", ...jsonOf(apiKeySchema) } },
});

export const rotateApiKeyRoute = createRoute({
  method: "post",
  path: "/api/v1/api-keys/{keyId}/rotate",
  operationId: "rotateApiKey",
  tags: ["auth"],
  summary: "Give a key another secret",
  description:
    "Its id, subject and scopes stay. The secrets before it, and the tokens got with them, go on for `overlapSeconds` and end within half a second of that; with 0 they end now. At most five secrets open a key at a time.",
  request: {
    params: paramsSchema,
    body: {
      required: false,
      ...jsonOf(
        z.strictObject({
          overlapSeconds: wholeNumber(0, MAX_OVERLAP_SECONDS).optional().openapi({ description: "A day without it, a week at most." }),
          expiresAt: expiresAtSchema.openapi({ description: "Another end of the key, at most five years from now." }),
        }),
      ),
    },
  },
  responses: { 201: { description: "The key with its new secret.", ...jsonOf(shownKeySchema) } },
});

export const revokeApiKeyRoute = createRoute({
  method: "delete",
  path: "/api/v1/api-keys/{keyId}",
  operationId: "revokeApiKey",
  tags: ["auth"],
  summary: "End a key for good",
  description: "With all its secrets and tokens, in all processes within half a second. A repeat changes nothing.",
  request: { params: paramsSchema, query: z.strictObject({ reason: keptText(500).min(1).optional() }) },
  responses: { 200: { description: "The key as it is now.", ...jsonOf(apiKeySchema) } },
});

/** How long a replaced secret goes on where nothing else is asked for. */
export const DEFAULT_OVERLAP_SECONDS = DAY_SECONDS;
