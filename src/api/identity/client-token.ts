import { issueClientToken } from "../../use-cases/identity/client-token.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { readUpTo, unlessCutOff } from "../http/request-body.ts";
import type { Routes } from "../http/routes.ts";
import { clientTokenRoute } from "./client-token-schemas.ts";
import { readTokenRequest, type TokenRefusal } from "./token-request.ts";

/** More than any request for a token has. */
const MAX_BODY_BYTES = 8_192;

/** Tokens for API keys, in the form of OAuth 2.0. */
export function addClientTokenRoute(routes: Routes, { identity, log }: Pick<ApiDeps, "identity" | "log">): void {
  routes.add(clientTokenRoute, { access: "public", routeClass: "login", problems: ["UNAVAILABLE"] }, async (context) => {
    // RFC 6749, section 5.1.
    context.header("pragma", "no-cache");
    const body = await unlessCutOff(readUpTo(context.req.raw.body, MAX_BODY_BYTES));
    const asked = readTokenRequest({
      contentType: context.req.header("content-type"),
      authorization: context.req.header("authorization"),
      body: Buffer.from(body).toString("latin1"),
    });
    if ("error" in asked) return refuse(context, asked);
    const issued = await issueClientToken(identity, asked);
    switch (issued.outcome) {
      case "issued":
        return context.json(
          {
            access_token: issued.token,
            token_type: "Bearer" as const,
            expires_in: issued.expiresInSeconds,
            scope: issued.scopes.join(" "),
          },
          200,
        );
      case "invalid_client":
        log.info(
          { event: "auth.refused", reason: "client", correlationId: context.get("correlationId"), route: context.get("route") },
          "a client was refused",
        );
        return refuse(context, {
          error: "invalid_client",
          description: "there is no such client, it has ended, or the secret is not its own",
        });
      case "invalid_scope":
        return refuse(context, { error: "invalid_scope", description: "the key does not have every scope that was asked for" });
    }
  });
}

function refuse(context: ApiContext, { error, description }: TokenRefusal) {
  const body = { error, error_description: description };
  if (error !== "invalid_client") return context.json(body, 400);
  context.header("www-authenticate", 'Basic realm="saldo"');
  return context.json(body, 401);
}
