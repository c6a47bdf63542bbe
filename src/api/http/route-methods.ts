import type { Api } from "../api-env.ts";

/** A path of the router and the methods that a route of it takes. */
export interface RouteMethods {
  readonly path: string;
  readonly methods: readonly string[];
}

/** The methods of every route of an app: a GET also takes HEAD. */
export function routeMethods(api: Pick<Api, "routes">): RouteMethods[] {
  return api.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => ({ path, methods: method === "GET" ? ["GET", "HEAD"] : [method] }));
}

/** The methods of some routes as a header lists them. */
export function listMethods(routes: readonly RouteMethods[]): string {
  return [...new Set(routes.flatMap(({ methods }) => methods))].sort().join(", ");
}
