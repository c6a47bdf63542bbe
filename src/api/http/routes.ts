import type { RouteConfig, RouteHandler, z } from "@hono/zod-openapi";
import type { Handler } from "hono";
import type { Api, ApiContext, ApiEnv } from "../api-env.ts";
import { OPEN_READ } from "./access.ts";
import { declareAccess } from "./declared-access.ts";
import { routeClassOf } from "./route-class.ts";
import { documentRoute } from "./route-document.ts";
import type { RouteOptions } from "./route-options.ts";
import { scopeOfRoute } from "./route-scope.ts";
import { endingOf, runRoute, type RouteParts } from "./run-route.ts";

/** Where each resource adds its routes. */
export interface Routes {
  /**
   * Adds a route: its place in the OpenAPI document, its checks and its handler. The handler gets only what fits the schemas and can
   * answer only what the route declares; errors are thrown. Returns what takes the route's requests, for `RouteOptions.endings`.
   *
   * The library's own validators are not used: they answer text/plain for broken JSON, let a body without a content type
   * pass unchecked, and parse numbers into floats.
   */
  add<Route extends RouteConfig>(route: Route, options: RouteOptions, handler: RouteHandler<Route, ApiEnv>): Handler<ApiEnv>;
  /** Adds a GET that anyone may make and that the OpenAPI document leaves out. `path` is as in that document: `/swagger/{file}`. */
  addPage(path: string, handler: (context: ApiContext) => Promise<Response> | Response): void;
  /** Names a schema in the OpenAPI document that no route refers to by itself. */
  addSchema(name: string, schema: z.ZodType): void;
}

/** Adds routes to an app, each of them behind the same guard, first answers and limit of a body. */
export function createRoutes(api: Api, parts: RouteParts): Routes {
  const literals = new Set<string>();
  return {
    add(route, options, handler) {
      const scope = scopeOfRoute(route.path, routeClassOf(route, options));
      declareAccess(api, { method: route.method, path: route.path, access: options.access, scope });
      api.openAPIRegistry.registerPath(documentRoute(route, options));
      const run = runRoute(route, options, parts, handler);
      const isLiteral = !route.path.includes("{");
      if (isLiteral) literals.add(route.path);
      // The router would take `GET /reservations/confirm`, which is a path for POST, for the reservation "confirm".
      const unlessLiteral: Handler<ApiEnv> = async (context, next) =>
        !isLiteral && literals.has(context.req.path) ? next() : await (run(context, next) as Promise<Response>);
      if (endingOf(route.path) === "") api.on([route.method], [routerPath(route.path)], unlessLiteral);
      return run;
    },
    addPage(path, handler) {
      declareAccess(api, { method: "GET", path, access: "public", scope: undefined });
      api.get(routerPath(path), async (context) => {
        context.set("route", path);
        await parts.guard(context, OPEN_READ);
        return await handler(context);
      });
    },
    addSchema(name, schema) {
      api.openAPIRegistry.register(name, schema);
    },
  };
}

/** A path of the OpenAPI document as the router writes it: `/orders/{orderId}` is `/orders/:orderId`. */
export function routerPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}
