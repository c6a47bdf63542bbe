import { describe, expect, test } from "vitest";
import { DomainError } from "../../base/errors.ts";
import { decodeCursor, encodeCursor, ID_SHAPE, TIME_SHAPE } from "./cursor.ts";

const POSITION = ["2026-11-21 06:33:01.123456+00", "id/ü 1"];
const SHAPES = [TIME_SHAPE, ID_SHAPE];

describe("cursors", () => {
  test("give back the position, to the microsecond", () => {
    expect(decodeCursor("orders", encodeCursor("orders", POSITION), SHAPES)).toEqual(POSITION);
  });

  test.each([
    ["of another list", encodeCursor("services", POSITION)],
    ["with a part too many", encodeCursor("orders", [...POSITION, "x"])],
    ["with a part too few", encodeCursor("orders", POSITION.slice(1))],
    ["whose time is an expression", encodeCursor("orders", ["now()", "id"])],
    ["whose day is not in the calendar", encodeCursor("orders", ["2026-02-30 06:33:01+00", "id"])],
    ["whose month is not in the calendar", encodeCursor("orders", ["2026-13-01 06:33:01+00", "id"])],
    ["whose year is 0", encodeCursor("orders", ["0000-01-01 06:33:01+00", "id"])],
    ["whose hour is not on the clock", encodeCursor("orders", ["2026-11-21 25:33:01+00", "id"])],
    ["whose second is not on the clock", encodeCursor("orders", ["2026-11-21 06:33:61+00", "id"])],
    ["whose offset is on no map", encodeCursor("orders", ["2026-11-21 06:33:01+99", "id"])],
    ["whose id holds NUL", encodeCursor("orders", ["2026-11-21 06:33:01+00", "a\0"])],
    ["whose id is empty", encodeCursor("orders", ["2026-11-21 06:33:01+00", ""])],
    // anomalyco/opencode#48034: what a broken copy added was decoded past.
    ["with a character too many", `${encodeCursor("orders", POSITION)}!`],
    ["with a blank in it", encodeCursor("orders", POSITION).replace(/^..../, "$& ")],
    ["with padding", `${encodeCursor("orders", POSITION)}=`],
    ["whose bytes are not UTF-8", Buffer.from('["orders","2026-11-21 06:33:01+00","\xff"]', "latin1").toString("base64url")],
    ["that was written otherwise", Buffer.from(JSON.stringify(["orders", ...POSITION], null, 1)).toString("base64url")],
    ["that is no JSON", "????"],
    ["that is empty", ""],
  ])("refuse one %s", (_what, cursor) => {
    expect(() => decodeCursor("orders", cursor, SHAPES)).toThrow(DomainError);
  });
});
