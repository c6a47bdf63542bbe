import { expect, it } from "vitest";
import { absoluteRow, meetsGoal, ratioRow } from "./row.ts";
import { figureText, markdownTable, renderCpu, renderRows } from "./table.ts";

const side = (...figures: number[]) => ({ figures, cpuMs: figures.map(() => ({ api: 12.34, bench: 0.05 })) });

it("a table's columns are as wide as their widest cell", () => {
  expect(markdownTable(["a", "b"], [["long cell", ""]])).toBe("| a         | b   |\n|-----------|-----|\n| long cell |     |");
});

it("a row shows both sides, the ratio with its spread, and whether the goal is met", () => {
  const row = ratioRow("orders", side(50, 60, 40), side(40, 60, 50));
  expect(meetsGoal(row)).toBe(true);
  expect(renderRows([row])).toMatch(/50\.0\/s .*50\.0\/s .*1\.00 \(0\.80–1\.25\) .*≥ 1 +\| met/);
});

it("an absolute row shows its own spread and has no baseline", () => {
  const row = absoluteRow("start", [5, 7, 9]);
  expect(meetsGoal(row)).toBe(false);
  expect(renderRows([row])).toMatch(/– .*7\.00 s \(5\.00–9\.00\) .*≤ 6 +\| missed/);
});

it("processor times stand by process, the known ones first", () => {
  const text = renderCpu([ratioRow("orders", side(1), { figures: [1], cpuMs: [{ zebra: 1, temporal: 2 }] })]);
  expect(text.split("\n")[0]?.replaceAll(/ +/g, " ")).toBe("| row | side | api | temporal | bench | zebra |");
  expect(text).toMatch(/orders \| Saldo +\| 12 +\| +\| 0\.05 +\|/);
});

it("a side that several rows share stands once", () => {
  const shared = side(1);
  const rows = [
    ratioRow("orders", shared, { figures: [1], cpuMs: [{ api: 1 }] }),
    ratioRow("orders-dbos", shared, { figures: [1], cpuMs: [{ api: 2 }] }),
  ];
  expect(renderCpu(rows).match(/\| Saldo/g)).toHaveLength(1);
  expect(renderCpu(rows).match(/\| baseline/g)).toHaveLength(2);
});

it("without /proc the table says that the times are not known", () => {
  expect(renderCpu([absoluteRow("start", [1])])).toMatch(/not known here/);
});

it("a figure has as many digits as it needs", () => {
  expect([figureText(1234.5, "/s"), figureText(12.34, "ms"), figureText(1.234, "s"), figureText(Number.NaN, "s")]).toEqual([
    "1,235/s",
    "12.3 ms",
    "1.23 s",
    "–",
  ]);
});
