import type { Api } from "../api-env.ts";
import { BEARER } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";

/** Adds `/openapi.json`: every route with every status it can answer, made of the same schemas that check requests and types. */
export function addOpenApiRoute(routes: Routes, api: Api, version: string): void {
  let document: string | undefined;
  api.openAPIRegistry.registerComponent("securitySchemes", BEARER, {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description:
      "An access token of `POST /api/v1/auth/login`, of `POST /api/v1/auth/token`, or of the external issuer; or an API key. `npm run token` prints a token for an operator.",
  });
  routes.addPage("/openapi.json", (context) => {
    document ??= JSON.stringify(openApiDocument(api, version));
    return context.body(document, 200, { "content-type": "application/json" });
  });
}

/** The OpenAPI 3.1 document of all routes that were added. */
export function openApiDocument(api: Api, version: string) {
  return api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Saldo",
      version,
      description:
        "Balances, orders, reservations and revenue reports. Amounts are decimal text with a currency. Every error is RFC 9457 problem details with a `code`; " +
        "503 may be sent again with the same Idempotency-Key after `Retry-After` seconds. `X-Correlation-Id` is taken, echoed and passed on.",
    },
    servers: [{ url: "/" }],
  });
}
