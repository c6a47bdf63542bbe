import { expect, it } from "vitest";
import { linearScale, logScale } from "./scale.ts";

it("a linear axis begins at zero, ends at a round value and runs either way", () => {
  const scale = linearScale(93, 300, 100);
  expect(scale.marks).toEqual([0, 20, 40, 60, 80, 100]);
  expect([scale.at(0), scale.at(50), scale.at(100)]).toEqual([300, 200, 100]);
});

it("a linear axis of nothing still has a length", () => {
  const scale = linearScale(0, 0, 100);
  expect(scale.at(0)).toBe(0);
  expect(scale.marks.length).toBeGreaterThan(1);
});

it("a logarithmic axis has a mark at each power of ten that it needs", () => {
  const scale = logScale(3, 4_000, 0, 400);
  expect(scale.marks).toEqual([1, 10, 100, 1_000, 10_000]);
  expect(scale.at(100)).toBeCloseTo(200);
});

it("a logarithmic axis of one value spans a power of ten", () => {
  expect(logScale(10, 10, 0, 1).marks).toEqual([10, 100]);
});
