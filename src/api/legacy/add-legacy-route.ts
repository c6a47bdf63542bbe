import type { z } from "@hono/zod-openapi";
import type { Log } from "../../adapters/log.ts";
import { hashOf } from "../../base/hash.ts";
import type { Api, ApiContext } from "../api-env.ts";
import { admitted } from "../http/admitted.ts";
import { declareAccess } from "../http/declared-access.ts";
import { createErrorHandler, InvalidRequest } from "../http/error-handler.ts";
import { readOptionalIdempotencyKey } from "../http/idempotency.ts";
import type { KeyedRequest } from "../http/idempotent-answers.ts";
import type { Problem } from "../http/problem.ts";
import { scopeOfRoute } from "../http/route-scope.ts";
import { routerPath } from "../http/routes.ts";
import type { RouteParts } from "../http/run-route.ts";
import { documentLegacyRoute, type LegacyRoute } from "./legacy-document.ts";
import { asLegacyError } from "./legacy-errors.ts";
import { readLegacyInput, type LegacyInput } from "./legacy-input.ts";

/** What stands before the handlers of all legacy routes. */
export interface LegacyParts extends RouteParts {
  readonly log: Log;
}

/**
 * Adds a route of the earlier service's interface: who may call it, its place in the OpenAPI document (deprecated, by query string:
 * a document cannot describe a GET with a body), and its errors in the form `{"message": "..."}`, whatever went wrong.
 */
export function addLegacyRoute<Schema extends z.ZodType>(
  api: Api,
  { log, guard, firstAnswers, maxBodyBytes, admission }: LegacyParts,
  route: LegacyRoute<Schema>,
  handler: (context: ApiContext, input: z.output<Schema>) => Promise<Response>,
): void {
  const { method, path, access, routeClass } = route;
  const asProblem = createErrorHandler(log);
  const scope = scopeOfRoute(path, routeClass);
  declareAccess(api, { method, path, access, scope });
  api.openAPIRegistry.registerPath(documentLegacyRoute(route));
  api.on([method], [routerPath(path)], async (context) => {
    context.set("route", path);
    try {
      if (route.newWork !== undefined) admission?.refuseWhenFull(route.newWork.kind);
      await guard(context, { access, routeClass, scope });
      // Before the place is taken: a client that sends slowly must not keep others out.
      const input: LegacyInput =
        route.inputFrom === "path" ? { from: "query", value: context.req.param() } : await readLegacyInput(context, maxBodyBytes);
      const asked = check(route.input, input);
      return await admitted(admission, route.newWork, async () => {
        const act = () => handler(context, asked);
        const keyed = route.keyScope === undefined ? undefined : readOptionalIdempotencyKey(context, route.keyScope);
        return await (keyed === undefined ? act() : firstAnswers.once(context, keyedRequest(keyed.key, route, asked), act));
      });
    } catch (error) {
      return await answerLegacyError(asProblem(error, context));
    }
  });
}

// Up to 0.1 the hash was made of the input as it was written, an amount with its zeros.
function keyedRequest<Schema extends z.ZodType>(key: string, { content }: LegacyRoute<Schema>, asked: z.output<Schema>): KeyedRequest {
  const earlierHash = hashOf([asked]);
  return { key, hash: content === undefined ? earlierHash : hashOf(content(asked)), earlierHash, memory: "answer", keepAccepted: false };
}

function check<Schema extends z.ZodType>(schema: Schema, { from, value }: LegacyInput): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InvalidRequest(
    result.error.issues.slice(0, 20).map(({ path, message }) => ({
      pointer: from === "query" ? path.map(String).join(".") : path.map((part) => `/${String(part)}`).join(""),
      message,
    })),
  );
}

/** A problem as it is answered on these paths, with the headers it has. */
export async function answerLegacyError(problem: Response): Promise<Response> {
  const { status, body } = asLegacyError((await problem.json()) as Problem);
  const headers = new Headers(problem.headers);
  headers.set("content-type", "application/json");
  return new Response(body, { status, headers });
}
