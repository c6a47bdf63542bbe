import { sql, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

/** The last row of the page before. `createdAt` is Postgres' own text, as a Date would lose its microseconds. */
export interface PageStart {
  readonly createdAt: string;
  readonly id: string;
}

/** A list's page: the newest first. */
export interface Page {
  readonly limit: number;
  readonly after?: PageStart;
}

/** Rows that come after the start of the page, newest first, then by falling id; an index on both columns serves it. */
export function isAfter(columns: { readonly createdAt: PgColumn; readonly id: PgColumn }, after: PageStart | undefined): SQL | undefined {
  return after === undefined ? undefined : sql`(${columns.createdAt}, ${columns.id}) < (${after.createdAt}::timestamptz, ${after.id})`;
}
