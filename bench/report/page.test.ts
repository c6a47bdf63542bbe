import { expect, it } from "vitest";
import { renderPage } from "./page.ts";
import { ROW_NAMES } from "./row-texts.ts";
import { absoluteRow, ratioRow } from "./row.ts";

const side = (figure: number) => ({ figures: [figure], cpuMs: [] });
const run = {
  measuredAt: "2026-11-29T10:00:00.000Z",
  machine: { processor: "Some CPU", cores: 2, memoryGigabytes: 8, system: "Some Linux", node: "v20.20.2", commit: "abc123" },
  rounds: 10,
  rows: [absoluteRow("start", [5]), ratioRow("orders", side(10), side(20), ["a note"])],
  plots: [],
  failures: [{ section: "events", reason: "three are missing" }],
};

it("the page says when, at which commit and on what machine was measured, and that absolute figures mean nothing elsewhere", () => {
  const page = renderPage(run);
  expect(page).toContain("Measured on 2026-11-29 at commit abc123, in 10 rounds, on 2 cores (Some CPU), 8 GB, Some Linux, Node v20.20.2");
  expect(page).toMatch(/Absolute figures mean nothing on another machine/);
});

it("the rows stand in their own order, with notes and with what failed", () => {
  const page = renderPage(run);
  expect(page.indexOf("**orders**")).toBeLessThan(page.indexOf("**start**"));
  expect(page).toContain("- `orders`: a note");
  expect(page).toContain("- events: three are missing");
});

it("every row has a text about what bounds it", () => {
  const page = renderPage(run);
  for (const name of ROW_NAMES) expect(page).toContain(`- **${name}**: `);
});

it("a plot stands beside its table", () => {
  const level = { offeredPerSecond: 10, acceptedPerSecond: 8, refusedPerSecond: 2, accepted: 8, refused: 2, lost: 0, p50Ms: 5, p99Ms: 9 };
  const page = renderPage({ ...run, plots: [{ name: "orders", title: "Orders", levels: [level] }] });
  expect(page).toContain("(performance/orders.svg)");
  expect(page).toMatch(/\| 10\.0\/s +\| 8\.00\/s +\| 2\.00\/s +\| 5\.00 ms \| 9\.00 ms \|/);
});
