import { z, type RouteConfig } from "@hono/zod-openapi";
import type { Log } from "../../adapters/log.ts";
import { hashOf } from "../../base/hash.ts";
import type { Api, ApiContext } from "../api-env.ts";
import { declareAccess } from "../http/access-table.ts";
import { BEARER, type Access } from "../http/access.ts";
import { createErrorHandler, InvalidRequest } from "../http/error-handler.ts";
import type { RouteClass } from "../http/guard.ts";
import { readOptionalIdempotencyKey } from "../http/idempotency.ts";
import type { Problem } from "../http/problem.ts";
import { routerPath } from "../http/routes.ts";
import type { RouteParts } from "../http/run-route.ts";
import { asLegacyError } from "./legacy-errors.ts";
import { readLegacyInput, type LegacyInput } from "./legacy-input.ts";

type Method = "get" | "post" | "delete";

export interface LegacyRoute<Schema extends z.ZodType> {
  readonly method: Method;
  /** As in the OpenAPI document: `/api/report/{year}`. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly access: Access;
  readonly routeClass: RouteClass;
  /** What the request must hold; members it does not name are passed over, as the earlier service did. */
  readonly input: Schema;
  /** Where it is read from; a path's own parameters instead of body and query. */
  readonly inputFrom?: "path";
  /** What its Idempotency-Keys are scoped by. With it the first answer under a key is kept; without a key each request is one of its own. */
  readonly keyScope?: string;
  /** What is answered with 200, for the document. */
  readonly answers: { readonly type: string; readonly schema: z.ZodType; readonly description: string };
  /** Further statuses, for the document. */
  readonly alsoAnswers?: readonly number[];
}

/** What stands before the handlers of all legacy routes. */
export interface LegacyParts extends RouteParts {
  readonly log: Log;
}

const messageSchema = z.object({ message: z.string() }).openapi("LegacyError");
const DESCRIPTIONS: Readonly<Record<number, string>> = {
  202: "It is still being made; the link will serve it.",
  400: "The request is refused; `message` says why.",
  401: "The request needs a valid access token.",
  403: "The token's roles do not allow this.",
  404: "There is no such report.",
  409: "The first request with this Idempotency-Key is still running.",
  413: "The body is larger than allowed.",
  415: "The body must be application/json.",
  429: "Too many requests; wait as long as Retry-After says.",
  500: "Something went wrong on our side.",
  503: "A part that this request needs is not reachable.",
};

/**
 * Adds a route of the earlier service's interface: who may call it, its place in the OpenAPI document (deprecated, by query string:
 * a document cannot describe a GET with a body), and its errors in the form `{"message": "..."}`, whatever went wrong.
 */
export function addLegacyRoute<Schema extends z.ZodType>(
  api: Api,
  { log, guard, firstAnswers, maxBodyBytes }: LegacyParts,
  route: LegacyRoute<Schema>,
  handler: (context: ApiContext, input: z.output<Schema>) => Promise<Response>,
): void {
  const { method, path, access, routeClass } = route;
  const asProblem = createErrorHandler(log);
  declareAccess(api, { method, path, access });
  api.openAPIRegistry.registerPath(describe(route));
  api.on([method], [routerPath(path)], async (context) => {
    context.set("route", path);
    try {
      await guard(context, { access, routeClass });
      const input: LegacyInput =
        route.inputFrom === "path" ? { from: "query", value: context.req.param() } : await readLegacyInput(context, maxBodyBytes);
      const asked = check(route.input, input);
      const act = () => handler(context, asked);
      const keyed = route.keyScope === undefined ? undefined : readOptionalIdempotencyKey(context, route.keyScope);
      if (keyed === undefined) return await act();
      const request = { key: keyed.key, hash: hashOf([asked]), memory: "answer", keepAccepted: false } as const;
      return await firstAnswers.once(context, request, act);
    } catch (error) {
      return await answerLegacyError(asProblem(error, context));
    }
  });
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

function describe<Schema extends z.ZodType>(route: LegacyRoute<Schema>): RouteConfig {
  const { method, path, operationId, summary, answers, access } = route;
  const json = { required: true, content: { "application/json": { schema: route.input } } };
  const object = route.input as unknown as z.ZodObject;
  const errors = [
    400,
    401,
    403,
    413,
    429,
    500,
    503,
    ...(method === "post" ? [415] : []),
    ...(route.keyScope === undefined ? [] : [409]),
    ...(route.alsoAnswers ?? []),
  ];
  return {
    method,
    path,
    operationId,
    summary,
    tags: ["legacy"],
    deprecated: true,
    security: [{ [BEARER]: [] }],
    ...(access === "public" ? {} : { "x-saldo-roles": access }),
    description: [
      route.description,
      method === "post" || route.inputFrom === "path" ? undefined : "The same members may stand in a JSON body instead of the query.",
    ]
      .filter((text) => text !== undefined)
      .join(" "),
    request: route.inputFrom === "path" ? { params: object } : method === "post" ? { body: json } : { query: object },
    responses: {
      200: { description: answers.description, content: { [answers.type]: { schema: answers.schema } } },
      ...Object.fromEntries(
        errors.map((status) => [
          status,
          {
            description: DESCRIPTIONS[status] ?? "",
            content: { "application/json": { schema: status < 400 ? answers.schema : messageSchema } },
          },
        ]),
      ),
    },
  };
}
