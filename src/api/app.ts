import { OpenAPIHono } from "@hono/zod-openapi";
import type { Api, ApiDeps, ApiEnv } from "./api-env.ts";
import { createErrorHandler } from "./error-handler.ts";
import { createGuard } from "./guard.ts";
import { createServiceCheck } from "./known-services.ts";
import { notFound } from "./middleware/not-found.ts";
import { requestContext } from "./middleware/request-context.ts";
import { addBalanceRoutes } from "./routes/balances.ts";
import { addDocsRoutes } from "./routes/docs.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addOpenApiRoute } from "./routes/openapi.ts";
import { addOrderRoutes } from "./routes/orders.ts";
import { addReportRoutes } from "./routes/reports.ts";
import { addReservationRoutes } from "./routes/reservations.ts";
import { addServiceRoutes } from "./routes/services.ts";

/** The whole HTTP API over its dependencies. It starts nothing and keeps nothing but a short memory of known services. */
export function createApp(deps: ApiDeps): Api {
  const api: Api = new OpenAPIHono<ApiEnv>();
  const checkServices = createServiceCheck(deps.db);
  api.use(requestContext(deps.requestLog, createGuard(deps.authenticator, deps.limits)));
  addHealthRoutes(api, deps);
  addBalanceRoutes(api, deps);
  addServiceRoutes(api, deps);
  addOrderRoutes(api, deps, checkServices);
  addReservationRoutes(api, deps, checkServices);
  addReportRoutes(api, deps);
  addOpenApiRoute(api, deps);
  addDocsRoutes(api);
  api.notFound(notFound(api));
  api.onError(createErrorHandler(deps.log));
  return api;
}
