import { describe, expect, it } from "vitest";
import { createCompensations, type Parking } from "./compensation.ts";

describe("compensations", () => {
  it("run one after the other, the last registered first, each once", async () => {
    const done: string[] = [];
    const compensations = createCompensations();
    for (const name of ["first", "second", "third"])
      compensations.add({
        name,
        remote: false,
        reversesMinor: () => undefined,
        undo: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          done.push(`${name} ended`);
        },
      });
    expect(compensations.plan("RUB")).toEqual([{ step: "third" }, { step: "second" }, { step: "first" }]);
    const undoing = (name: string) => void done.push(`${name} began`);
    const parking = { progress: { undoing } } as unknown as Parking;
    await compensations.run(parking);
    expect(done).toEqual(["third began", "third ended", "second began", "second ended", "first began", "first ended"]);
    await compensations.run(parking);
    expect(done).toHaveLength(6);
  });

  it("stand in the plan until they are done", async () => {
    const compensations = createCompensations();
    const plans: unknown[] = [];
    for (const name of ["first", "second"])
      compensations.add({
        name,
        remote: false,
        reversesMinor: () => "5",
        undo: async () => void plans.push(compensations.plan("RUB").map(({ step }) => step)),
      });
    await compensations.run({ progress: { undoing: () => {} } } as unknown as Parking);
    expect(plans).toEqual([["second", "first"], ["first"]]);
    expect(compensations.plan("RUB")).toEqual([]);
  });
});
