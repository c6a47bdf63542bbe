import type { MiddlewareHandler } from "hono";
import { uuidv7 } from "uuidv7";
import type { Log } from "../../adapters/log.ts";
import type { ApiEnv } from "../api-env.ts";
import type { Guard } from "../guard.ts";

const ID = /^[\x21-\x7e]{1,128}$/;
/** The supervisor and load balancers ask these every second: their lines would drown the others. */
const QUIET_ROUTES = new Set(["/healthz", "/readyz"]);

/**
 * Gives each request its correlation id (the client's, when it is 1 to 128 visible ASCII characters), its caller, the headers
 * every answer has, and one line in the log. The ids are echoed; `X-Request-Id` names this one exchange.
 */
export function requestContext(log: Log, guard: Guard): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const startedAtMs = performance.now();
    const givenRequestId = context.req.header("x-request-id");
    const givenCorrelationId = context.req.header("x-correlation-id");
    const requestId = givenRequestId !== undefined && ID.test(givenRequestId) ? givenRequestId : uuidv7();
    const correlationId = givenCorrelationId !== undefined && ID.test(givenCorrelationId) ? givenCorrelationId : requestId;
    context.set("correlationId", correlationId);
    context.set("caller", "anonymous");
    context.set("guard", guard);
    context.header("x-correlation-id", correlationId);
    context.header("x-request-id", requestId);
    context.header("x-content-type-options", "nosniff");
    context.header("cache-control", "no-store");
    context.header("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    await next();
    const route = context.get("route") ?? "unmatched";
    const line = {
      method: context.req.method,
      route,
      status: context.res.status,
      ms: Math.round((performance.now() - startedAtMs) * 10) / 10,
      correlationId,
      requestId,
      code: context.get("problemCode"),
    };
    if (QUIET_ROUTES.has(route)) log.debug(line, "request");
    else log.info(line, "request");
  };
}
