import { expect, it } from "vitest";
import { median, quantile } from "./median.ts";

it("the median is the middle figure, whatever the order", () => {
  expect(median([9, 1, 5])).toBe(5);
});

it("the median of an even count is the mean of the two in the middle", () => {
  expect(median([4, 1, 100, 2])).toBe(3);
});

it("there is no median and no quantile of nothing", () => {
  expect(median([])).toBeNaN();
  expect(quantile([], 0.5)).toBeNaN();
});

it("a quantile is one of the figures: half and 99 % of a hundred", () => {
  const figures = Array.from({ length: 100 }, (_, place) => 100 - place);
  expect(quantile(figures, 0.5)).toBe(50);
  expect(quantile(figures, 0.99)).toBe(99);
  expect(quantile([7], 0.99)).toBe(7);
});
