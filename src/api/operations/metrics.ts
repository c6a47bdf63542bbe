import { createRoute, z } from "@hono/zod-openapi";
import { matcherOf } from "../../base/same-secret.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";

const metricsRoute = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "readMetrics",
  tags: ["operations"],
  summary: "What the process counts about itself, for Prometheus",
  description: "For admins, and for the collector that has METRICS_TOKEN as its bearer token.",
  responses: { 200: { description: "The text format of Prometheus.", content: { "text/plain": { schema: z.string() } } } },
});

/** The metrics. They tell about the business, so they are not public. */
export function addMetricsRoute(routes: Routes, { metrics, settings }: Pick<ApiDeps, "metrics" | "settings">): void {
  const { metricsToken } = settings;
  const isCollector = metricsToken === undefined ? () => false : matcherOf(`Bearer ${metricsToken}`);
  routes.add(
    metricsRoute,
    {
      access: ADMINS,
      routeClass: "unlimited",
      alsoFor: (context) => isCollector(context.req.header("authorization") ?? ""),
    },
    async (context) => context.text(await metrics.render(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
}
