import type { MiddlewareHandler } from "hono";
import type { ApiEnv } from "../../api-env.ts";

const METHODS = "GET, HEAD, POST, PATCH, DELETE";
const REQUEST_HEADERS = "authorization, content-type, idempotency-key, prefer, x-correlation-id, x-request-id, last-event-id";
const ANSWER_HEADERS =
  "idempotency-replayed, location, preference-applied, ratelimit, ratelimit-policy, retry-after, x-correlation-id, x-request-id";
const PREFLIGHT_LIFETIME_SECONDS = 600;

/**
 * Lets the pages of these origins read answers, and no others: the origin is compared whole and never merely repeated.
 * Cookies are not used, so credentials are not allowed.
 */
export function cors(origins: readonly string[]): MiddlewareHandler<ApiEnv> {
  const allowed = new Set(origins);
  return async (context, next) => {
    const origin = context.req.header("origin");
    context.header("vary", "origin");
    if (origin === undefined || !allowed.has(origin)) return next();
    context.header("access-control-allow-origin", origin);
    if (context.req.method === "OPTIONS" && context.req.header("access-control-request-method") !== undefined)
      return context.body(null, 204, {
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": REQUEST_HEADERS,
        "access-control-max-age": String(PREFLIGHT_LIFETIME_SECONDS),
      });
    context.header("access-control-expose-headers", ANSWER_HEADERS);
    return next();
  };
}
