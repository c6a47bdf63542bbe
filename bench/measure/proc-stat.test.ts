import { expect, it } from "vitest";
import { parsePeakMemory, parseProcStat } from "./proc-stat.ts";

const AFTER_NAME = "S 100 42 42 0 -1 4194560 900 5000 0 7 250 50 30 20 20 0 11 0 123456 900000000 25000 18446744073709551615";

it("the times of a process and of its ended children are read from /proc/PID/stat", () => {
  expect(parseProcStat(`42 (node) ${AFTER_NAME}`)).toEqual({ pid: 42, parentPid: 100, ownTicks: 300, endedChildrenTicks: 50 });
});

it("a program's name may hold brackets and spaces", () => {
  expect(parseProcStat(`42 (postgres: x (y) z) ${AFTER_NAME}`)?.parentPid).toBe(100);
});

it("what is no line of /proc is no process", () => {
  expect(parseProcStat("")).toBeUndefined();
  expect(parseProcStat("42 (node) S 100")).toBeUndefined();
});

it("the peak of a process's memory is read in bytes", () => {
  expect(parsePeakMemory("Name:\tnode\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n")).toBe(2_097_152);
  expect(parsePeakMemory("Name:\tkthreadd\n")).toBeUndefined();
});
