import { createRoute } from "@hono/zod-openapi";
import { DomainError } from "../../base/errors.ts";
import type { ApiDeps, DependencyCheck } from "../deps.ts";
import { makeProblem, PROBLEM_TYPE, problemHeaders } from "../http/problem.ts";
import type { Routes } from "../http/routes.ts";
import { healthSchema, notReadySchema, readySchema, versionSchema } from "./health-schemas.ts";

const healthRoute = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "health",
  tags: ["operations"],
  summary: "The process runs",
  responses: { 200: { description: "It does.", content: { "application/json": { schema: healthSchema } } } },
});

const readyRoute = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "ready",
  tags: ["operations"],
  summary: "The parts that requests need answer",
  responses: {
    200: {
      description: "They do; `degraded` when a part that they do not need does not.",
      content: { "application/json": { schema: readySchema } },
    },
    503: {
      description: "`UNAVAILABLE`: a needed part does not answer; `parts` says which.",
      content: { [PROBLEM_TYPE]: { schema: notReadySchema } },
    },
  },
});

const versionRoute = createRoute({
  method: "get",
  path: "/version",
  operationId: "version",
  tags: ["operations"],
  summary: "Which version runs",
  responses: { 200: { description: "The version.", content: { "application/json": { schema: versionSchema } } } },
});

/** What supervisors, load balancers and people ask about the process itself. */
export function addHealthRoutes(routes: Routes, { checks, settings }: ApiDeps): void {
  const options = { access: "public", routeClass: "unlimited" } as const;
  routes.add(healthRoute, options, (context) => context.json({ status: "ok" as const }, 200));

  routes.add(versionRoute, options, (context) => context.json({ name: "saldo", version: settings.version, node: process.version }, 200));

  routes.add(readyRoute, options, async (context) => {
    const parts = await Promise.all(checks.map(runCheck));
    const status = parts.every(({ ok }) => ok) ? ("ready" as const) : ("degraded" as const);
    if (parts.every(({ needed, ok }) => ok || !needed)) return context.json({ status, parts }, 200);
    const problem = makeProblem({ code: "UNAVAILABLE", instance: context.req.path, correlationId: context.get("correlationId") });
    return context.json({ ...problem, parts }, 503, problemHeaders(problem) as { "content-type": typeof PROBLEM_TYPE });
  });
}

async function runCheck({ name, needed, check, details }: DependencyCheck) {
  const startedAtMs = performance.now();
  const trouble = await check().then(
    () => undefined,
    (error: unknown) => ({ reason: error instanceof DomainError ? error.message : undefined }),
  );
  const ok = trouble === undefined;
  const ms = Math.round(performance.now() - startedAtMs);
  const more = ok && details !== undefined ? { details: await details() } : {};
  // Anyone may ask, so only Saldo's own words are shown: a library's may hold an address.
  return { name, needed, ok, ms, ...(trouble?.reason === undefined ? {} : { reason: trouble.reason }), ...more };
}
