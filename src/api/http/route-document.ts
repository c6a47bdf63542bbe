import type { RouteConfig } from "@hono/zod-openapi";
import { ERROR_CATALOGUE, type ErrorCode } from "../../base/errors.ts";
import { BEARER, type Access } from "./access.ts";
import { PROBLEM_TYPE, problemSchema } from "./problem.ts";
import { routeClassOf } from "./route-class.ts";
import type { RouteOptions } from "./route-options.ts";
import { scopeOfRoute, type RouteScope } from "./route-scope.ts";
import { STATUSES } from "./statuses.ts";

/** A route as it stands in the OpenAPI document: who may call it, and every problem it may answer besides its own answers. */
export function documentRoute(route: RouteConfig, options: RouteOptions): RouteConfig {
  return {
    ...route,
    ...documentAccess(options.access, scopeOfRoute(route.path, routeClassOf(route, options))),
    responses: { ...documentProblems(codesOf(route, options)), ...route.responses },
  };
}

// The roles and the scope stand as extensions: OpenAPI has scopes only for OAuth2.
function documentAccess(access: Access, scope: RouteScope) {
  if (access === "public") return { security: [] };
  return {
    security: [{ [BEARER]: [] }],
    "x-saldo-roles": access,
    ...(scope === undefined || !access.includes("service") ? {} : { "x-saldo-scope": scope }),
  };
}

function codesOf(route: RouteConfig, { access, routeClass, problems = [], idempotency, newWork }: RouteOptions): Set<ErrorCode> {
  const { params, query, body } = route.request ?? {};
  const codes = new Set<ErrorCode>([...problems, "RATE_LIMITED"]);
  const add = (...more: readonly ErrorCode[]) => {
    for (const code of more) codes.add(code);
  };
  if (access !== "public") add("UNAUTHENTICATED", "FORBIDDEN", "INSUFFICIENT_SCOPE", "UNAVAILABLE");
  if (params !== undefined || query !== undefined || body !== undefined) add("INVALID_REQUEST");
  if (body !== undefined) add("PAYLOAD_TOO_LARGE");
  if (body?.content["application/json"] !== undefined) add("MALFORMED_JSON", "UNSUPPORTED_MEDIA_TYPE", "CARD_DATA_REFUSED");
  if (idempotency !== undefined) add("INVALID_IDEMPOTENCY_KEY", "IDEMPOTENCY_CONFLICT");
  if (idempotency?.required === true) add("IDEMPOTENCY_KEY_REQUIRED");
  if (idempotency !== undefined && idempotency.memory !== "operation") add("REQUEST_IN_FLIGHT");
  if (newWork !== undefined) add("OVERLOADED");
  if (routeClass !== "unlimited") add("DEADLINE_EXCEEDED");
  add("INTERNAL");
  return codes;
}

function documentProblems(codes: ReadonlySet<ErrorCode>): RouteConfig["responses"] {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const status = STATUSES[code];
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
