import { expect, it } from "vitest";
import { seededRandom } from "./seeded-random.ts";

it("a seed gives the same numbers for ever, so that a run of long ago can be repeated", () => {
  const random = seededRandom(42);
  expect([random(), random(), random()]).toEqual([0.6011037519201636, 0.44829055899754167, 0.8524657934904099]);
  expect(seededRandom(43)()).not.toBe(0.6011037519201636);
});
