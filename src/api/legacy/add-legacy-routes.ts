import type { Handler } from "hono";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { Api, ApiEnv } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { answerProblem } from "../http/error-handler.ts";
import { listMethods, routeMethods } from "../http/route-methods.ts";
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

  const routes = routeMethods({ routes: api.routes.slice(before) });
  for (const path of new Set(routes.map((route) => route.path)))
    api.all(path, refuseMethod(listMethods(routes.filter((route) => route.path === path))));
}

// Other methods of the legacy paths are refused in the form of the legacy paths.
function refuseMethod(methods: string): Handler<ApiEnv> {
  return async (context) => {
    context.header("allow", methods);
    return await answerLegacyError(answerProblem(context, "METHOD_NOT_ALLOWED"));
  };
}
