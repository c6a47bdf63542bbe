import type { MiddlewareHandler } from "hono";
import { uuidv7 } from "uuidv7";
import type { Log } from "../../../adapters/log.ts";
import type { Metrics } from "../../../adapters/metrics/metrics.ts";
import { API_KEY_PREFIX, maskApiKeys } from "../../../base/api-key-form.ts";
import { codeOf } from "../../../base/errors.ts";
import { isLoopbackHost } from "../../../base/loopback.ts";
import { traceIdOf } from "../../../contract/ids.ts";
import { looksLikeCardNumber, maskDigits } from "../../../domain/cards/card.ts";
import type { ApiContext, ApiEnv } from "../../api-env.ts";
import { OPEN_READ } from "../access.ts";
import { answerProblem } from "../error-handler.ts";
import type { Guard } from "../guard.ts";
import { SECURITY_HEADERS } from "../problem.ts";

const ID = /^[\x21-\x7e]{1,128}$/;
/** The supervisor and load balancers ask these every second: their lines would drown the others. */
const QUIET_ROUTES = new Set(["/healthz", "/readyz", "/metrics"]);
const LOGGED_IDS = new Set(["orderId", "reservationId", "userId"]);
const QUERY = /^[^?]*\/api\/v1\/[^?]*\?(.*)$/s;
const ONE_YEAR_SECONDS = 31_536_000;

interface ContextDeps {
  readonly requestLog: Log;
  readonly metrics: Metrics;
  readonly settings: {
    readonly isSecure?: (context: ApiContext) => boolean;
    readonly onlyLocalHosts?: boolean;
  };
}

/**
 * Gives each request its correlation id (the client's, when it is 1 to 128 visible ASCII characters, else the id of the client's trace),
 * its caller, the headers every answer has, and one line in the log. The ids are echoed; `X-Request-Id` names this one exchange.
 * A path or query that is not percent-encoded UTF-8 is refused here: no route could tell what it names.
 */
export function requestContext(deps: ContextDeps, guard: Guard): MiddlewareHandler<ApiEnv> {
  const { requestLog: log, metrics, settings } = deps;
  return async (context, next) => {
    const startedAtMs = performance.now();
    const requestId = usable(context.req.header("x-request-id")) ?? uuidv7();
    const correlationId = usable(context.req.header("x-correlation-id")) ?? traceIdOf(context.req.header("traceparent")) ?? requestId;
    context.set("correlationId", correlationId);
    context.set("caller", "anonymous");
    context.header("x-correlation-id", correlationId);
    context.header("x-request-id", requestId);
    for (const [name, value] of SECURITY_HEADERS) context.header(name, value);
    if (settings.isSecure?.(context) === true) context.header("strict-transport-security", `max-age=${ONE_YEAR_SECONDS}`);
    if (settings.onlyLocalHosts === true && !isLoopbackHost(context.req.header("host")))
      context.res = answerProblem(context, "FORBIDDEN", "with AUTH_MODE=off only requests to localhost, 127.0.0.1 or [::1] are taken");
    else {
      const problem = problemOf(context.req.raw.url);
      if (problem === undefined) await next();
      else context.res = await refuseAddress(context, guard, problem);
    }
    const route = context.get("route") ?? "unmatched";
    const { status } = context.res;
    const code = context.get("problemCode");
    const ms = performance.now() - startedAtMs;
    metrics.request({ route, method: context.req.method, status, seconds: ms / 1_000, code });
    const line = {
      method: context.req.method,
      route,
      status,
      ms: Math.round(ms * 10) / 10,
      correlationId,
      requestId,
      subject: context.get("caller"),
      ...namedIn(context),
      code,
    };
    if (QUIET_ROUTES.has(route)) log.debug(line, "request");
    else log.info(line, "request");
  };
}

const MADE_HERE = /\/api\/v1\/(orders|reservations)\/([^/?]+)$/;

/** The ids by which a person looks for what a request did: those in its path, and that of the order or reservation it made. */
function namedIn(context: ApiContext): Record<string, string> {
  const ids = Object.entries(context.get("named") ?? {}).filter(([name]) => LOGGED_IDS.has(name));
  const [, resource, id] = MADE_HERE.exec(context.res.headers.get("location") ?? "") ?? [];
  const made = id === undefined ? {} : { [resource === "orders" ? "orderId" : "reservationId"]: id };
  return Object.fromEntries(
    [...Object.entries(made), ...ids].map(([name, text]) => [name, maskApiKeys(looksLikeCardNumber(text) ? maskDigits(text) : text)]),
  );
}

// Correlation and request ids go into logs, histories and messages: one that may be a card number or an API key is not taken over.
function usable(id: string | undefined): string | undefined {
  return id !== undefined && ID.test(id) && !looksLikeCardNumber(id) && !id.includes(API_KEY_PREFIX) ? id : undefined;
}

async function refuseAddress(context: ApiContext, guard: Guard, problem: string): Promise<Response> {
  try {
    await guard(context, OPEN_READ);
  } catch (error) {
    return answerProblem(context, codeOf(error));
  }
  return answerProblem(context, "INVALID_REQUEST", problem);
}

function problemOf(url: string): string | undefined {
  if (!hasTextPath(url)) return "the path is not percent-encoded UTF-8 text without control characters";
  // Text in Postgres cannot hold NUL. The legacy paths check their query themselves, as they answer in a form of their own.
  const query = decoded(QUERY.exec(url)?.[1] ?? "");
  if (query === undefined) return "the query is not percent-encoded UTF-8 text";
  return query.includes("\0") ? "the query holds a NUL character" : undefined;
}

function hasTextPath(url: string): boolean {
  const end = url.indexOf("?");
  const path = decoded(end < 0 ? url : url.slice(0, end));
  return path !== undefined && !/\p{Cc}/u.test(path);
}

// The router passes on undecoded what it cannot decode: `%ff` would be taken for a name of three characters.
function decoded(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
