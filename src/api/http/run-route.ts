import type { RouteConfig } from "@hono/zod-openapi";
import type { Handler } from "hono";
import type { z } from "zod";
import { withinOrThrow } from "../../base/deadline.ts";
import { hashOf } from "../../base/hash.ts";
import type { ApiContext, ApiEnv } from "../api-env.ts";
import type { Admission } from "./admission.ts";
import { admitted } from "./admitted.ts";
import { checkRequest, singleValues } from "./check-request.ts";
import type { Guard } from "./guard.ts";
import { readIdempotencyKey, readOptionalIdempotencyKey } from "./idempotency.ts";
import type { IdempotentAnswers, KeyedRequest } from "./idempotent-answers.ts";
import { readJsonBody } from "./request-body.ts";
import { routeClassOf } from "./route-class.ts";
import type { IdempotencyOptions, RouteOptions } from "./route-options.ts";
import { scopeOfRoute } from "./route-scope.ts";

/** What stands before the handlers of all routes. */
export interface RouteParts {
  /** Asked by each route before its handler. */
  readonly guard: Guard;
  /** Asked by each route with an Idempotency-Key. */
  readonly firstAnswers: IdempotentAnswers;
  readonly maxBodyBytes: number;
  /** Asked by each route that begins new work. Without it everything is let in. */
  readonly admission?: Admission | undefined;
}

/**
 * The longest a handler may take to begin its answer: the longest wait that `Prefer` may ask for, and time to start and to read.
 * The handler's work goes on after that; its outcome is found by the same key.
 */
const MAX_HANDLER_MS = 45_000;

/** `.csv` of a path that ends in `{month}.csv`. */
const ENDING = /\}(\.\w+)$/;

/** The literal behind the last parameter of a path, such as `.csv`; empty when the path has none. */
export function endingOf(path: string): string {
  return ENDING.exec(path)?.[1] ?? "";
}

/**
 * Runs the requests of a route: admission, guard, schemas, Idempotency-Key, handler, in this order, so that a stranger learns nothing of a
 * route, and what is refused for want of time costs next to nothing. Only a request that passed the guard and has come whole takes a place.
 * Throws: what the guard refuses with, OVERLOADED, MALFORMED_JSON, UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, INVALID_REQUEST, the codes of an
 * Idempotency-Key, DEADLINE_EXCEEDED, and what the handler throws.
 */
export function runRoute(route: RouteConfig, options: RouteOptions, parts: RouteParts, handler: Handler<ApiEnv>): Handler<ApiEnv> {
  const routeClass = routeClassOf(route, options);
  const scope = scopeOfRoute(route.path, routeClass);
  const ending = endingOf(route.path);
  return async (context, next) => {
    const other = Object.entries(options.endings ?? {}).find(([text]) => context.req.path.endsWith(text))?.[1];
    if (other !== undefined) return await (other(context, next) as Promise<Response>);
    context.set("route", route.path);
    const params = route.request?.params === undefined ? {} : withoutEnding(context.req.param(), ending);
    if (route.request?.params !== undefined) context.set("named", params);
    if (options.newWork !== undefined) parts.admission?.refuseWhenFull(options.newWork.kind);
    if (options.alsoFor?.(context) !== true) await parts.guard(context, { access: options.access, routeClass, scope });
    // Before the place is taken: how slowly a client sends says nothing of the work, and must not keep others out.
    const asked = await readRequest(context, route, params, { maxBytes: parts.maxBodyBytes, optional: options.bodyOptional ?? false });
    return await admitted(parts.admission, options.newWork, async (place) => {
      if (options.newWork?.waitsOutside?.(asked) === true) place?.leave("outside");
      const act = () => withinOrThrow((async () => (await handler(context, next)) as Response)(), MAX_HANDLER_MS);
      const keyed = options.idempotency === undefined ? undefined : readKeyedRequest(context, options.idempotency, asked);
      return await (keyed === undefined ? act() : parts.firstAnswers.once(context, keyed, act));
    });
  };
}

async function readRequest(
  context: ApiContext,
  route: RouteConfig,
  pathParams: Record<string, string>,
  limits: { readonly maxBytes: number; readonly optional: boolean },
): Promise<object[]> {
  const { params, query, body } = route.request ?? {};
  const asked: object[] = [];
  if (params !== undefined) asked.push(checkRequest(context, "param", params, pathParams));
  if (query !== undefined) asked.push(checkRequest(context, "query", query, singleValues(context.req.queries())));
  const content = body?.content["application/json"];
  if (content !== undefined && "schema" in content)
    asked.push(checkRequest(context, "json", content.schema as z.ZodType, await readJsonBody(context, limits)));
  return asked;
}

// With the memory "operation" only the key is checked here: the operation's row is the kept answer, and requests with equal keys that
// come at once share one posting.
function readKeyedRequest(context: ApiContext, options: IdempotencyOptions, asked: readonly object[]): KeyedRequest | undefined {
  const { route, required, memory, keepAccepted = false, content = (all: readonly object[]) => all } = options;
  const identity = required ? readIdempotencyKey(context, route) : readOptionalIdempotencyKey(context, route);
  return identity === undefined || memory === "operation"
    ? undefined
    : { key: identity.key, hash: hashOf(content(asked)), memory, keepAccepted };
}

function withoutEnding(params: Record<string, string>, ending: string): Record<string, string> {
  if (ending === "") return params;
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, value.slice(0, -ending.length)]));
}
