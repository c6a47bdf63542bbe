import type { MiddlewareHandler } from "hono";
import { uuidv7 } from "uuidv7";
import { codeOf } from "../../errors.ts";
import { OPEN_READ } from "../access.ts";
import type { ApiContext, ApiDeps, ApiEnv } from "../api-env.ts";
import { answerProblem } from "../error-handler.ts";
import type { Guard } from "../guard.ts";
import { SECURITY_HEADERS } from "../problem.ts";

const ID = /^[\x21-\x7e]{1,128}$/;
/** The supervisor and load balancers ask these every second: their lines would drown the others. */
const QUIET_ROUTES = new Set(["/healthz", "/readyz", "/metrics"]);
const ONE_YEAR_SECONDS = 31_536_000;

/**
 * Gives each request its correlation id (the client's, when it is 1 to 128 visible ASCII characters), its caller, the headers
 * every answer has, and one line in the log. The ids are echoed; `X-Request-Id` names this one exchange.
 * A path that is no text is refused here: no route could tell what it names.
 */
export function requestContext(
  deps: Pick<ApiDeps, "requestLog" | "firstAnswers" | "metrics" | "settings">,
  guard: Guard,
): MiddlewareHandler<ApiEnv> {
  const { requestLog: log, firstAnswers, metrics, settings } = deps;
  return async (context, next) => {
    const startedAtMs = performance.now();
    const givenRequestId = context.req.header("x-request-id");
    const givenCorrelationId = context.req.header("x-correlation-id");
    const requestId = givenRequestId !== undefined && ID.test(givenRequestId) ? givenRequestId : uuidv7();
    const correlationId = givenCorrelationId !== undefined && ID.test(givenCorrelationId) ? givenCorrelationId : requestId;
    context.set("correlationId", correlationId);
    context.set("caller", "anonymous");
    context.set("guard", guard);
    context.set("firstAnswers", firstAnswers);
    context.header("x-correlation-id", correlationId);
    context.header("x-request-id", requestId);
    for (const [name, value] of SECURITY_HEADERS) context.header(name, value);
    if (settings.isSecure?.(context) === true) context.header("strict-transport-security", `max-age=${ONE_YEAR_SECONDS}`);
    if (settings.onlyLocalHosts === true && !isLoopbackHost(context.req.header("host")))
      context.res = answerProblem(context, "FORBIDDEN", "with AUTH_MODE=off only requests to localhost, 127.0.0.1 or [::1] are taken");
    else if (isText(context.req.raw.url)) await next();
    else context.res = await refusePath(context, guard);
    const route = context.get("route") ?? "unmatched";
    const { status } = context.res;
    const code = context.get("problemCode");
    const ms = performance.now() - startedAtMs;
    metrics.request({ route, method: context.req.method, status, seconds: ms / 1_000, code });
    const line = { method: context.req.method, route, status, ms: Math.round(ms * 10) / 10, correlationId, requestId, code };
    if (QUIET_ROUTES.has(route)) log.debug(line, "request");
    else log.info(line, "request");
  };
}

async function refusePath(context: ApiContext, guard: Guard): Promise<Response> {
  try {
    await guard(context, OPEN_READ);
  } catch (error) {
    return answerProblem(context, codeOf(error));
  }
  return answerProblem(context, "INVALID_REQUEST", "the path is not percent-encoded UTF-8 text without control characters");
}

// A page of another site can have its name lead to this machine; it cannot choose what its requests call the host.
function isLoopbackHost(host = ""): boolean {
  return /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host);
}

// The router leaves what it cannot decode as it is, so that `%ff` would be taken for a name.
function isText(url: string): boolean {
  const end = url.indexOf("?");
  const path = end < 0 ? url : url.slice(0, end);
  if (!path.includes("%")) return true;
  try {
    return !/\p{Cc}/u.test(decodeURIComponent(path));
  } catch {
    return false;
  }
}
