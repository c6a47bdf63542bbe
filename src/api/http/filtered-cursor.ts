import { DomainError } from "../../base/errors.ts";
import { decodeCursor } from "./cursor.ts";

/** A list's filters and sort as they stood in the query. */
export type Filters = Readonly<Record<string, string>>;

/** A place in a list together with what the list was filtered and sorted by: what `pageOf` writes into the cursor of such a list. */
export function filteredPlace(filters: Filters, position: readonly string[]): readonly string[] {
  return [canonical(filters), ...position];
}

/**
 * The filters and the position of a cursor. A request that goes on with a cursor may leave its filters out; those it names must be
 * the cursor's. The filters come from the client and are to be checked like any query.
 * Throws: INVALID_CURSOR when the text was not made by this list, has other filters, or its position does not look as `shapes` says.
 */
export function decodeFilteredCursor(
  list: string,
  cursor: string,
  named: Filters,
  shapes: readonly RegExp[],
): { readonly filters: Record<string, unknown>; readonly position: readonly string[] } {
  const [text = "", ...position] = decodeCursor(list, cursor, [/^\{/, ...shapes]);
  const filters = parseFilters(text);
  if (filters === undefined || !Object.entries(named).every(([name, value]) => filters[name] === value))
    throw new DomainError("INVALID_CURSOR", "the cursor belongs to a list with other filters or another sort", { pointer: "cursor" });
  return { filters, position };
}

function canonical(filters: Filters): string {
  return JSON.stringify(Object.fromEntries(Object.entries(filters).sort(([left], [right]) => (left < right ? -1 : 1))));
}

function parseFilters(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : undefined;
  } catch {
    return undefined;
  }
}
