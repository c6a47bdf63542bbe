import { expect, it } from "vitest";
import { readOptions } from "./options.ts";

it("a full run writes the page and plots; a quick one and one of single rows do not", () => {
  expect(readOptions([])).toMatchObject({ write: true, plots: true });
  expect(readOptions(["--quick"])).toMatchObject({ write: false, plots: false });
  expect(readOptions(["--only", "orders"])).toMatchObject({ write: false, plots: false });
  expect(readOptions(["--only", "orders", "--write"])).toMatchObject({ write: true, plots: false });
});

it("--only takes rows, groups and the plots, several of them", () => {
  const { rows, plots } = readOptions(["--only", "http,report", "--only", "load"]);
  expect([...(rows ?? [])]).toEqual(["deposits", "balance", "operations", "report"]);
  expect(plots).toBe(true);
});

it("an unknown row is refused with the names that there are", () => {
  expect(() => readOptions(["--only", "order"])).toThrow(/there is no row or group order: .*order-latency/);
});
