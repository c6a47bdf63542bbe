import type { RouteConfig } from "@hono/zod-openapi";

/** The allowance that a route counts against. `unlimited` is for what supervisors and collectors ask every second. */
export type RouteClass = "read" | "write" | "login" | "unlimited";

/** What a route's requests count as: what its options say, else what its method tells. */
export function routeClassOf({ method }: Pick<RouteConfig, "method">, { routeClass }: { readonly routeClass?: RouteClass }): RouteClass {
  return routeClass ?? (method === "get" ? "read" : "write");
}
