import type { Resource, Scope } from "../../contract/scopes.ts";
import type { RouteClass } from "./route-class.ts";

/** What a request with an API key, or with a token that was got with one, needs at a route: a scope, nothing, or it is refused whatever it has. */
export type RouteScope = Scope | "any" | undefined;

/** The resource of a route by how its path begins, the longest beginning first. A route that is not here takes no keys: nothing is opened by forgetting. */
const RESOURCE_OF: readonly (readonly [string, Resource])[] = [
  ["/api/v1/test-clock/orders", "orders"],
  ["/api/v1/test-clock/reservations", "reservations"],
  ["/api/v1/balances", "ledger"],
  ["/api/v1/transfers", "ledger"],
  ["/api/v1/operations", "ledger"],
  ["/api/v1/orders", "orders"],
  ["/api/v1/purchases", "purchases"],
  ["/api/v1/reservations", "reservations"],
  ["/api/v1/services", "services"],
  ["/api/v1/users", "users"],
  ["/api/v1/events", "events"],
  ["/api/purchase", "purchases"],
  ["/api/reserve", "reservations"],
  ["/api/services", "services"],
];

/** Routes of the earlier interface whose path is the beginning of all others. */
const EXACT: ReadonlyMap<string, Resource> = new Map([["/api", "ledger"]]);

/** Where a key may ask what it is. */
const FOR_ANY_KEY = "/api/v1/auth/me";

/** The scope of a route, by its path in the OpenAPI document and by what it counts as. */
export function scopeOfRoute(path: string, routeClass: RouteClass): RouteScope {
  if (path === FOR_ANY_KEY) return "any";
  if (routeClass !== "read" && routeClass !== "write") return undefined;
  const resource = EXACT.get(path) ?? RESOURCE_OF.find(([start]) => path === start || path.startsWith(`${start}/`))?.[1];
  return resource === undefined ? undefined : `${resource}:${routeClass}`;
}
