import { type RouteConfig, type RouteHandler } from "@hono/zod-openapi";
import type { Handler, Next } from "hono";
import type { z } from "zod";
import { withinOrThrow } from "../../base/deadline.ts";
import { DomainError, ERROR_CATALOGUE, type ErrorCode } from "../../base/errors.ts";
import { hashOf } from "../../base/hash.ts";
import type { Api, ApiContext, ApiEnv } from "../api-env.ts";
import { declareAccess } from "./access-table.ts";
import { BEARER, type Access } from "./access.ts";
import { codeOfIssue } from "./common-schemas.ts";
import { InvalidRequest } from "./error-handler.ts";
import type { RouteClass } from "./guard.ts";
import { readIdempotencyKey, readOptionalIdempotencyKey } from "./idempotency.ts";
import type { KeyedRequest, RequestMemory } from "./idempotent-answers.ts";
import { PROBLEM_TYPE, problemSchema, type ProblemError } from "./problem.ts";
import { readJsonBody } from "./request-body.ts";
import { plainWords } from "./zod-words.ts";

/**
 * The longest a handler may take to begin its answer: the longest wait that `Prefer` may ask for, and what belongs to it.
 * What it does goes on; the outcome is found by the same key.
 */
const MAX_HANDLER_MS = 45_000;

type Target = "param" | "query" | "json";

/** How many wrong places one answer names. */
const MAX_ERRORS = 20;

/** `.csv` of a path that ends in `{month}.csv`. */
const ENDING = /\}(\.\w+)$/;

interface IdempotencyOptions {
  /** What the key is scoped by besides the caller: the text the handler gives to `readIdempotencyKey`. */
  readonly route: string;
  readonly required: boolean;
  readonly memory: RequestMemory;
  /** True when 202 is the final answer. */
  readonly keepAccepted?: boolean;
  /** What makes a request another one, where it is not all that was asked: nothing of a card may be kept, not even hashed. */
  readonly content?: (asked: readonly object[]) => readonly unknown[];
}

interface RouteOptions {
  readonly access: Access;
  /** What it counts against; reads and writes are told by the method. */
  readonly routeClass?: RouteClass;
  /** The codes this route may answer besides those that follow from its shape. They stand in the OpenAPI document. */
  readonly problems: readonly ErrorCode[];
  readonly maxBodyBytes: number;
  /** True when no body means `{}`. */
  readonly bodyOptional?: boolean;
  /** How an Idempotency-Key is taken; the codes that belong to it need not be named. */
  readonly idempotency?: IdempotencyOptions;
  /** True for a caller who may pass whatever their role is: the metrics' collector with its own token. */
  readonly alsoFor?: (context: ApiContext) => boolean;
  /** Routes such as `/x/{id}.csv` by their ending. The fast router cannot tell them from `/x/{id}`, so that one passes them on. */
  readonly endings?: Readonly<Record<string, Handler<ApiEnv>>>;
}

/**
 * Adds a route: its place in the OpenAPI document, its checks and its handler. The handler gets only what fits the schemas
 * and can answer only what the route declares; errors are thrown.
 *
 * The library's own validators are not used: they answer text/plain for broken JSON, let a body without a content type
 * pass unchecked, and parse numbers into floats.
 */
export function addRoute<Route extends RouteConfig>(
  api: Api,
  route: Route,
  options: RouteOptions,
  handler: RouteHandler<Route, ApiEnv>,
): Handler<ApiEnv> {
  const { params, query, body } = route.request ?? {};
  const content = body?.content["application/json"];
  const bodySchema = content !== undefined && "schema" in content ? (content.schema as z.ZodType) : undefined;
  declareAccess(api, { method: route.method, path: route.path, access: options.access });
  api.openAPIRegistry.registerPath({
    ...route,
    ...accessInDocument(options.access),
    responses: { ...problemResponses(codesOf(route, options)), ...route.responses },
  });
  const run = async (context: ApiContext, next: Next): Promise<Response> =>
    (await (handler as unknown as Handler<ApiEnv>)(context, next)) as Response;
  const ending = ENDING.exec(route.path)?.[1] ?? "";
  const routeClass = options.routeClass ?? (route.method === "get" ? "read" : "write");
  const answer: Handler<ApiEnv> = async (context, next) => {
    const other = Object.entries(options.endings ?? {}).find(([text]) => context.req.path.endsWith(text))?.[1];
    if (other !== undefined) return await (other(context, next) as Promise<Response>);
    context.set("route", route.path);
    if (params !== undefined) context.set("named", withoutEnding(context.req.param(), ending));
    if (options.alsoFor?.(context) !== true) await context.get("guard")(context, { access: options.access, routeClass });
    const asked: object[] = [];
    if (params !== undefined) asked.push(check(context, "param", params, withoutEnding(context.req.param(), ending)));
    if (query !== undefined) asked.push(check(context, "query", query, singleValues(context.req.queries())));
    if (bodySchema !== undefined) {
      const read = await readJsonBody(context, { maxBytes: options.maxBodyBytes, optional: options.bodyOptional ?? false });
      asked.push(check(context, "json", bodySchema, read));
    }
    const act = () => withinOrThrow(run(context, next), MAX_HANDLER_MS);
    const keyed = options.idempotency === undefined ? undefined : readKeyedRequest(context, options.idempotency, asked);
    return await (keyed === undefined ? act() : context.get("firstAnswers").once(context, keyed, act));
  };
  if (ending === "") api.on([route.method], [route.path.replaceAll(/\{(\w+)\}/g, ":$1")], answer);
  return answer;
}

// An operation's own row is its kept answer, and equal keys that come together share one posting: only the key is checked here.
function readKeyedRequest(context: ApiContext, options: IdempotencyOptions, asked: readonly object[]): KeyedRequest | undefined {
  const { route, required, memory, keepAccepted = false, content = (all: readonly object[]) => all } = options;
  const identity = required ? readIdempotencyKey(context, route) : readOptionalIdempotencyKey(context, route);
  return identity === undefined || memory === "operation"
    ? undefined
    : { key: identity.key, hash: hashOf(content(asked)), memory, keepAccepted };
}

// The roles stand as an extension: OpenAPI has scopes only for OAuth2.
function accessInDocument(access: Access) {
  return access === "public" ? { security: [] } : { security: [{ [BEARER]: [] }], "x-saldo-roles": access };
}

function withoutEnding(params: Record<string, string>, ending: string): Record<string, string> {
  if (ending === "") return params;
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, value.slice(0, -ending.length)]));
}

function check(context: ApiContext, target: Target, schema: z.ZodType, value: unknown): object {
  const result = schema.safeParse(value, { error: plainWords });
  if (!result.success) throw refusalOf(result.error.issues, target);
  const data = result.data as object;
  context.req.addValidatedData(target, data);
  return data;
}

function refusalOf(issues: readonly z.core.$ZodIssue[], target: Target): DomainError {
  for (const issue of issues) {
    const code = codeOfIssue(issue);
    if (code !== undefined) return new DomainError(code, undefined, { pointer: pointerTo(issue.path, target) });
  }
  return new InvalidRequest(describeIssues(issues, target).slice(0, MAX_ERRORS));
}

function describeIssues(issues: readonly z.core.$ZodIssue[], target: Target): ProblemError[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({ pointer: pointerTo([...issue.path, key], target), message: "is not known here" }));
    return [{ pointer: pointerTo(issue.path, target), message: issue.message }];
  });
}

// RFC 6901 for the body; a parameter is named as it is written.
function pointerTo(path: readonly PropertyKey[], target: Target): string {
  if (target !== "json") return path.map(String).join(".");
  return path.map((part) => `/${String(part).slice(0, 128).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

// A parameter that stands twice stays a list, which no schema takes.
function singleValues(queries: Record<string, string[]>): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(queries).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values]));
}

function codesOf(route: RouteConfig, options: RouteOptions): Set<ErrorCode> {
  const { params, query, body } = route.request ?? {};
  const codes = new Set<ErrorCode>([...options.problems, "RATE_LIMITED"]);
  if (options.access !== "public") for (const code of ["UNAUTHENTICATED", "FORBIDDEN", "UNAVAILABLE"] as const) codes.add(code);
  if (params !== undefined || query !== undefined || body !== undefined) codes.add("INVALID_REQUEST");
  if (body !== undefined)
    for (const code of ["MALFORMED_JSON", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "CARD_DATA_REFUSED"] as const) codes.add(code);
  const { idempotency } = options;
  if (idempotency !== undefined) for (const code of ["INVALID_IDEMPOTENCY_KEY", "IDEMPOTENCY_CONFLICT"] as const) codes.add(code);
  if (idempotency?.required === true) codes.add("IDEMPOTENCY_KEY_REQUIRED");
  if (idempotency !== undefined && idempotency.memory !== "operation") codes.add("REQUEST_IN_FLIGHT");
  if (options.routeClass !== "unlimited") codes.add("DEADLINE_EXCEEDED");
  codes.add("INTERNAL");
  return codes;
}

function problemResponses(codes: ReadonlySet<ErrorCode>): RouteConfig["responses"] {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = ERROR_CATALOGUE[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].title}`).join("\n\n"),
        content: { [PROBLEM_TYPE]: { schema: problemSchema } },
      },
    ]),
  );
}
