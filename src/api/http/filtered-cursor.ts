import type { z } from "@hono/zod-openapi";
import { DomainError } from "../../base/errors.ts";
import { decodeCursor, type Shape } from "./cursor.ts";

/** A list's filters and sort as they stood in the query. */
export type Filters = Readonly<Record<string, string>>;

/** A list whose cursors keep its filters. */
export interface FilteredList {
  /** Its name in its cursors. */
  readonly name: string;
  /** What its filters must fit. A cursor is not signed, so its filters are checked as if they stood in the query. */
  readonly schema: z.ZodType<Readonly<Record<string, string | undefined>>>;
  /** What the parts of a place in the list look like. */
  readonly shapes: readonly Shape[];
  /** The filters of a query that names none. */
  readonly defaults?: Filters;
}

/** Where a page begins, and what its list is filtered and sorted by. `position` is empty for the first page. */
export interface FilteredStart {
  readonly filters: Filters;
  readonly position: readonly string[];
}

/**
 * Reads where a page begins. With a cursor its filters are those of the cursor: the query may leave them out, and those that it names
 * must be the same.
 * Throws: INVALID_CURSOR when the text was not made by this list, has other filters, or its parts do not look as the list says.
 */
export function startOfFilteredPage(list: FilteredList, named: Filters, cursor: string | undefined): FilteredStart {
  if (cursor === undefined) return { filters: { ...list.defaults, ...named }, position: [] };
  const [text = "", ...position] = decodeCursor(list.name, cursor, [/^\{/, ...list.shapes]);
  const kept = parseObject(text);
  if (kept === undefined || !Object.entries(named).every(([name, value]) => kept[name] === value))
    throw new DomainError("INVALID_CURSOR", "the cursor belongs to a list with other filters or another sort", { pointer: "cursor" });
  const parsed = list.schema.safeParse(kept);
  if (!parsed.success) throw new DomainError("INVALID_CURSOR", undefined, { pointer: "cursor" });
  return { filters: definedOnly(parsed.data), position };
}

/** A place in a list together with what the list was filtered and sorted by: what `pageOf` writes into the cursor of such a list. */
export function filteredPlace(filters: Filters, position: readonly string[]): readonly string[] {
  return [canonical(filters), ...position];
}

/** The parameters that a query gave a value. */
export function definedOnly(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

function canonical(filters: Filters): string {
  return JSON.stringify(Object.fromEntries(Object.entries(filters).sort(([left], [right]) => (left < right ? -1 : 1))));
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}
