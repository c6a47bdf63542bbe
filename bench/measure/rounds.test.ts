import { expect, it } from "vitest";
import { measureRounds, medianCpu, ratioOf } from "./rounds.ts";

it("each round changes which side goes first", async () => {
  const order: string[] = [];
  const side = (name: string) => async () => {
    order.push(name);
    return { figure: 1, operations: 1 };
  };
  await measureRounds(3, { ours: side("ours"), baseline: side("baseline") }, { read: () => undefined });
  expect(order).toEqual(["ours", "baseline", "baseline", "ours", "ours", "baseline"]);
});

it("the processor time of a round is what was spent between its two readings, per operation", async () => {
  let spent = 0;
  const side = async () => {
    spent += 60;
    return { figure: 5, operations: 3 };
  };
  const { ours } = await measureRounds(2, { ours: side }, { read: () => ({ api: spent }) });
  expect(ours).toEqual({ figures: [5, 5], cpuMs: [{ api: 20 }, { api: 20 }] });
});

it("a ratio is made within each round, and the median of those counts", () => {
  expect(ratioOf([10, 200, 3], [5, 100, 1])).toEqual({ median: 2, min: 2, max: 3 });
});

it("the processor time of a process is the median of its rounds; one that a round lacks is left out", () => {
  expect(medianCpu([{ api: 1, relay: 2 }, { api: 9 }, { api: 5, relay: 1 }])).toEqual({ api: 5 });
  expect(medianCpu([])).toEqual({});
});
