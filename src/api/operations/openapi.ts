import type { Api, ApiDeps } from "../api-env.ts";
import { declareAccess } from "../http/access-table.ts";
import { BEARER, OPEN_READ } from "../http/access.ts";

/** Adds `/openapi.json`: every route with every status it can answer, made of the same schemas that check requests and types. */
export function addOpenApiRoute(api: Api, { settings }: ApiDeps): void {
  let document: string | undefined;
  declareAccess(api, { method: "GET", path: "/openapi.json", access: "public" });
  api.openAPIRegistry.registerComponent("securitySchemes", BEARER, {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "An access token of `POST /api/v1/auth/login`, or of the external issuer. `npm run token` prints one for an operator.",
  });
  api.get("/openapi.json", async (context) => {
    context.set("route", "/openapi.json");
    await context.get("guard")(context, OPEN_READ);
    document ??= JSON.stringify(openApiDocument(api, settings.version));
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
