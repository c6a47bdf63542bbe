import { expect, it } from "vitest";
import { renderLoadPlot } from "./load-plot.ts";

const level = (offeredPerSecond: number, p50Ms: number, refusedPerSecond = 0) => ({
  offeredPerSecond,
  acceptedPerSecond: offeredPerSecond - refusedPerSecond,
  refusedPerSecond,
  accepted: 1,
  refused: 0,
  lost: 0,
  p50Ms,
  p99Ms: p50Ms * 3,
});

it("the plot has a line for each latency and each fate, with a dot for each level", () => {
  const svg = renderLoadPlot({ name: "orders", title: "Orders <&>", levels: [level(10, 20), level(20, 40), level(40, 90, 15)] });
  expect(svg.match(/<polyline/g)).toHaveLength(4);
  expect(svg.match(/<circle/g)).toHaveLength(12);
  expect(svg).toContain("Orders &lt;&amp;>");
  expect(svg).not.toMatch(/NaN|Infinity/);
});

it("a level at which nothing was accepted has no latency, and breaks nothing", () => {
  const svg = renderLoadPlot({ name: "x", title: "x", levels: [level(10, 20), { ...level(20, Number.NaN), acceptedPerSecond: 0 }] });
  expect(svg).not.toMatch(/NaN|Infinity/);
  expect(svg.match(/<circle/g)).toHaveLength(6);
});
