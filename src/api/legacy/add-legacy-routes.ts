import type { Handler } from "hono";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { Api, ApiEnv } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { answerProblem } from "../http/error-handler.ts";
import { answerLegacyError, type LegacyParts } from "./add-legacy-route.ts";
import { addLegacyReportRoutes } from "./reports.ts";
import { addLegacyReserveRoutes } from "./reserves.ts";
import { addLegacyServiceRoutes } from "./services.ts";
import { addLegacyUserRoutes } from "./users.ts";

/** The earlier service's interface under `/api`, over the same ledger and workflows. docs/legacy.md tells what it kept and what it changed. */
export function addLegacyRoutes(api: Api, parts: LegacyParts, deps: ApiDeps, checkServices: CheckServices): void {
  const before = api.routes.length;
  addLegacyUserRoutes(api, parts, deps);
  addLegacyServiceRoutes(api, parts, deps, checkServices);
  addLegacyReserveRoutes(api, parts, deps, checkServices);
  addLegacyReportRoutes(api, parts, deps);

  const methodsByPath = new Map<string, string[]>();
  for (const { method, path } of api.routes.slice(before)) methodsByPath.set(path, [...(methodsByPath.get(path) ?? []), method]);
  for (const [path, methods] of methodsByPath) api.all(path, refuseMethod(methods));
}

// Other methods of the legacy paths are refused in the form of the legacy paths.
function refuseMethod(methods: readonly string[]): Handler<ApiEnv> {
  const allowed = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).sort();
  return async (context) => {
    context.header("allow", allowed.join(", "));
    return await answerLegacyError(answerProblem(context, "METHOD_NOT_ALLOWED"));
  };
}
