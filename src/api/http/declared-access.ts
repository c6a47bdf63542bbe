import type { Api } from "../api-env.ts";
import type { Access } from "./access.ts";
import type { RouteScope } from "./route-scope.ts";

/** One row of the access table: who may call a route. */
export interface AccessRow {
  /** In capitals. */
  readonly method: string;
  /** As in the OpenAPI document: `/api/v1/orders/{orderId}`. */
  readonly path: string;
  readonly access: Access;
  /** What a request with an API key needs here. */
  readonly scope: RouteScope;
}

const tables = new WeakMap<Api, AccessRow[]>();

/** Notes who may call a route. Every route of an app must have its row; a test compares the two. */
export function declareAccess(api: Api, row: AccessRow): void {
  const rows = tables.get(api) ?? [];
  rows.push({ ...row, method: row.method.toUpperCase() });
  tables.set(api, rows);
}

/** The access table of an app, sorted by path and method. */
export function accessTable(api: Api): readonly AccessRow[] {
  return [...(tables.get(api) ?? [])].sort((left, right) => compare(left.path, right.path) || compare(left.method, right.method));
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
