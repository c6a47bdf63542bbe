import { decodeCursor, encodeCursor, ID_SHAPE, TIME_SHAPE, type Shape } from "./cursor.ts";

/** A page of a list. `nextCursor` is undefined on the last page. */
interface Page<Row> {
  readonly page: readonly Row[];
  readonly nextCursor: string | undefined;
}

/**
 * Makes a page of at most `limit` rows. The store reads one row beyond the limit: it is not shown, it tells that there is a next page.
 * `placeOf` gives the place of the page's last row, as `list` decodes it from the cursor.
 */
export function pageOf<Row>(rows: readonly Row[], limit: number, list: string, placeOf: (row: Row) => readonly string[]): Page<Row> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(list, placeOf(last)) : undefined };
}

/** What the parts of a place look like in a list that is sorted by time and id. */
export const TIME_AND_ID: readonly Shape[] = [TIME_SHAPE, ID_SHAPE];

/** The place after which a page begins of a list that is sorted by time and id; none for its first page. */
export function afterPlace([createdAt, id]: readonly string[]): { after?: { readonly createdAt: string; readonly id: string } } {
  return createdAt === undefined || id === undefined ? {} : { after: { createdAt, id } };
}

/** Where a page begins of a list that is sorted by time and id; from its start without a cursor. Throws: INVALID_CURSOR. */
export function startOfPage(list: string, cursor: string | undefined): { after?: { readonly createdAt: string; readonly id: string } } {
  return afterPlace(cursor === undefined ? [] : decodeCursor(list, cursor, TIME_AND_ID));
}
