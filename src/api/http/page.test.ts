import { describe, expect, it } from "vitest";
import { pageOf, startOfPage } from "./page.ts";

const PLACE = { createdAt: "2026-11-21 06:33:01.123456+00", id: "b" };
const ROWS = [{ createdAt: "2026-11-21 06:33:02+00", id: "a" }, PLACE, { createdAt: "2026-11-21 06:33:00+00", id: "c" }];
const placeOf = ({ createdAt, id }: typeof PLACE) => [createdAt, id];

describe("a page", () => {
  it("shows no row beyond its limit, and goes on after its last row", () => {
    const { page, nextCursor } = pageOf(ROWS, 2, "things", placeOf);

    expect(page).toEqual(ROWS.slice(0, 2));
    expect(startOfPage("things", nextCursor)).toEqual({ after: PLACE });
  });

  it.each([[ROWS], [[]]])("is the last one when there is no row beyond its limit", (rows) => {
    expect(pageOf(rows, 3, "things", placeOf)).toEqual({ page: rows, nextCursor: undefined });
  });

  it("begins with the list where there is no cursor, and refuses the cursor of another list", () => {
    expect(startOfPage("things", undefined)).toEqual({});
    const { nextCursor } = pageOf(ROWS, 2, "things", placeOf);
    expect(() => startOfPage("others", nextCursor)).toThrow(expect.objectContaining({ code: "INVALID_CURSOR" }) as Error);
  });
});
