import { z, type RouteConfig } from "@hono/zod-openapi";
import { BEARER, type Access } from "../http/access.ts";
import type { NewWork } from "../http/admission.ts";
import type { RouteClass } from "../http/route-class.ts";

type Method = "get" | "post" | "delete";

/** What a legacy route says about itself. */
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
  /** What the hash of a request with a key is made of: what the input means, not how it is written. Throws: the codes of a wrong input. */
  readonly content?: (input: z.output<Schema>) => readonly unknown[];
  /** There when a request begins new work, which is refused while more is under way than can be answered in time. */
  readonly newWork?: NewWork;
  /** What is answered with 200, for the document. */
  readonly answers: { readonly type: string; readonly schema: z.ZodType; readonly description: string };
  /** Further statuses, for the document. */
  readonly alsoAnswers?: readonly number[];
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
  415: "The body of a POST must be application/json; a Content-Encoding must be gzip, deflate or br.",
  429: "Too many requests; wait as long as Retry-After says.",
  500: "Something went wrong on our side.",
  503: "A part that this request needs is not reachable, or more is under way than can be answered in time.",
};

/** A legacy route as it stands in the OpenAPI document. */
export function documentLegacyRoute<Schema extends z.ZodType>(route: LegacyRoute<Schema>): RouteConfig {
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
    ...(route.inputFrom === "path" ? [] : [415]),
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
