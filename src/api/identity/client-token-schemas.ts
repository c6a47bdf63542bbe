import { createRoute, z } from "@hono/zod-openapi";
import { jsonOf } from "../http/common-schemas.ts";

const tokenErrorSchema = z
  .object({
    error: z.enum(["invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type"]),
    error_description: z.string(),
  })
  .openapi("TokenError");

export const clientTokenRoute = createRoute({
  method: "post",
  path: "/api/v1/auth/token",
  operationId: "clientToken",
  tags: ["auth"],
  summary: "Get an access token for an API key (OAuth 2.0 client credentials, RFC 6749 section 4.4)",
  description:
    "The client is an API key: its `keyId` is the `client_id`, its `clientSecret` the `client_secret`, in HTTP Basic or in the form. The token has the key's subject and scopes, or those " +
    "of them that `scope` names, and ends with the key. Errors of the request have the RFC's form.",
  request: {
    body: {
      required: true,
      content: {
        "application/x-www-form-urlencoded": {
          schema: z
            .object({
              grant_type: z.literal("client_credentials"),
              scope: z.string().optional().openapi({ example: "ledger:write orders:read" }),
              client_id: z.string().optional(),
              client_secret: z.string().optional().openapi({ format: "password" }),
            })
            .openapi("TokenRequest"),
        },
      },
    },
  },
  responses: {
    200: {
      description: "The token.",
      ...jsonOf(
        z
          .object({ access_token: z.string(), token_type: z.literal("Bearer"), expires_in: z.number().int(), scope: z.string() })
          .openapi("ClientToken"),
      ),
    },
    400: { description: "`invalid_request`, `invalid_scope` or `unsupported_grant_type`.", ...jsonOf(tokenErrorSchema) },
    401: {
      description: "`invalid_client`: there is no such key, it has ended, or the secret is not its own.",
      ...jsonOf(tokenErrorSchema),
    },
  },
});
