import { expect, it } from "vitest";
import { cpuByLabel, cpuOf, cpuPerOperation } from "./cpu-by-process.ts";

const stat = (pid: number, parentPid: number, ownTicks: number, endedChildrenTicks = 0) => ({
  pid,
  parentPid,
  ownTicks,
  endedChildrenTicks,
});

it("a child counts for the nearest ancestor with a label, and a stranger for nobody", () => {
  const stats = [stat(1, 0, 999), stat(10, 1, 5), stat(20, 10, 7, 2), stat(21, 20, 3), stat(30, 21, 1), stat(99, 1, 50)];
  const labels = new Map([
    [10, "bench"],
    [20, "postgres"],
  ]);
  expect(cpuByLabel(stats, labels)).toEqual({ bench: 50, postgres: 130 });
});

it("processes of one label are added up, and one that is gone counts as nothing", () => {
  const labels = new Map([
    [2, "api"],
    [3, "api"],
    [4, "relay"],
  ]);
  expect(cpuByLabel([stat(2, 1, 1), stat(3, 1, 2)], labels)).toEqual({ api: 30, relay: 0 });
});

it("a circle of parents ends the search", () => {
  expect(cpuByLabel([stat(2, 3, 1), stat(3, 2, 1)], new Map([[9, "api"]]))).toEqual({ api: 0 });
});

it("what was spent is divided by the operations; a process of one reading only is left out", () => {
  expect(cpuPerOperation({ api: 100, gone: 5 }, { api: 300, new: 9 }, 10)).toEqual({ api: 20 });
});

it("a restarted process never makes a negative time", () => {
  expect(cpuPerOperation({ api: 500 }, { api: 10 }, 1)).toEqual({ api: 0 });
});

it("labels are chosen for a sum", () => {
  expect(cpuOf({ api: 1, bench: 10, relay: 2 }, (label) => label !== "bench")).toBe(3);
});
