import type { MiddlewareHandler } from "hono";
import type { Api, ApiEnv } from "../../api-env.ts";
import { listMethods, routeMethods } from "../route-methods.ts";

/** What any request may carry; the headers of single routes are in their documents. */
const REQUEST_HEADERS = ["authorization", "content-encoding", "content-type", "traceparent", "x-correlation-id", "x-request-id"];
/** What pages may read of every answer (Fetch, CORS-safelisted response-header name). */
const SAFELISTED = new Set(["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"]);
const PREFLIGHT_LIFETIME_SECONDS = 600;

/**
 * Lets the pages of these origins read answers, and no others: the origin is compared whole and never merely repeated.
 * Cookies are not used, so credentials are not allowed. What a preflight is told is made of the app's routes; an answer exposes the
 * headers that it has.
 */
export function cors(api: Api, origins: readonly string[]): MiddlewareHandler<ApiEnv> {
  const allowed = new Set(origins);
  let preflight: Record<string, string> | undefined;
  return async (context, next) => {
    const origin = context.req.header("origin");
    context.header("vary", "origin");
    if (origin === undefined || !allowed.has(origin)) return next();
    context.header("access-control-allow-origin", origin);
    if (context.req.method === "OPTIONS" && context.req.header("access-control-request-method") !== undefined) {
      preflight ??= preflightOf(api);
      return context.body(null, 204, preflight);
    }
    await next();
    const { headers } = context.res;
    const exposed = [...headers.keys()].filter((name) => !SAFELISTED.has(name) && !name.startsWith("access-control-"));
    headers.set("access-control-expose-headers", exposed.join(", "));
  };
}

// Made at the first preflight: the routes are added after this.
function preflightOf(api: Api): Record<string, string> {
  return {
    "access-control-allow-methods": listMethods(routeMethods(api)),
    "access-control-allow-headers": [...new Set([...REQUEST_HEADERS, ...headersOfRoutes(api)])].sort().join(", "),
    "access-control-max-age": String(PREFLIGHT_LIFETIME_SECONDS),
  };
}

function headersOfRoutes({ openAPIRegistry }: Api): string[] {
  return openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== "route") return [];
    const headers = definition.route.request?.headers;
    return headers === undefined || !("shape" in headers) ? [] : Object.keys(headers.shape).map((name) => name.toLowerCase());
  });
}
