import { describe, expect, it } from "vitest";
import { readHeader } from "./csv-columns.ts";
import { createRowChain } from "./row-chain.ts";

function idsOf(header: string, ...rows: readonly string[]): (string | undefined)[] {
  const columns = readHeader(header.split(","), "purchase");
  const chain = createRowChain();
  return rows.map((row) => chain.next(columns, row.split(",")));
}

const HEADER = "user_id,date,amount";
const ANN = "ann,2024-01-01,1";
const BEN = "ben,2024-01-01,2";

describe("a row without an id is known by the rows up to it", () => {
  it("so the same rows in the same order are the same, also with more after them", () => {
    const [first, second] = idsOf(HEADER, ANN, BEN);
    expect(idsOf(HEADER, ANN, BEN, ANN).slice(0, 2)).toEqual([first, second]);
  });

  it("so equal rows are two, and a new row on top makes all of them others", () => {
    expect(new Set(idsOf(HEADER, ANN, ANN, ANN)).size).toBe(3);
    const earlier = idsOf(HEADER, ANN, BEN);
    expect(idsOf(HEADER, "new,2024-01-02,9", ANN, BEN).filter((id) => earlier.includes(id))).toEqual([]);
  });

  it("whichever columns stand beside those that are read, and in which order they stand", () => {
    expect(idsOf("colour,amount,user_id,date", "red,1,ann,2024-01-01")).toEqual(idsOf(HEADER, ANN));
    expect(idsOf("user_id,date,amount_usd", ANN)).not.toEqual(idsOf(HEADER, ANN));
  });

  it("and rows with an id of their own, wherever they stand, change nothing", () => {
    const header = `${HEADER},event_id`;
    expect(idsOf(header, "eve,2024-01-01,5,e-1", `${ANN},`, "eve,2024-01-01,5,e-2", `${BEN},`)).toEqual([
      undefined,
      idsOf(HEADER, ANN)[0],
      undefined,
      idsOf(HEADER, ANN, BEN)[1],
    ]);
  });
});
