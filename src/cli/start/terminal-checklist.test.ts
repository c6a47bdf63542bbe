import { expect, test } from "vitest";
import { createChecklist, type ChecklistLine } from "./terminal-checklist.ts";

const WORKING: ChecklistLine = { title: "Postgres", state: "working", detail: "starting", elapsedMs: 5 };
const DONE: ChecklistLine = { title: "Postgres", state: "done", detail: "port 5432", elapsedMs: 812 };

function terminal(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  return { isTTY, columns, write: (text: string) => written.push(text), text: () => written.join("") };
}

test("on a terminal a line is drawn again in its place, with its time and a mark", () => {
  const screen = terminal(true);
  const checklist = createChecklist(screen, { json: false, color: true });
  checklist.update(WORKING);
  checklist.update({ title: "Redis", state: "warning", detail: "not here", elapsedMs: 9 });
  checklist.update(DONE);
  checklist.finish();
  expect(screen.text()).toContain("\u001b[2A");
  const last = screen.text().split("\u001b[2A").at(-1)?.split("\n") ?? [];
  expect(last[0]?.replaceAll("\u001b", "ESC")).toMatch(/^ {2}ESC\[32m✔ESC\[0m Postgres +port 5432 +812 msESC\[K$/);
  expect(last[1]).toMatch(/! *.*Redis +not here +9 ms/);
});

test("without colour there is none, and a long line is cut to the width", () => {
  const screen = terminal(true, 60);
  const checklist = createChecklist(screen, { json: false, color: false });
  checklist.update({ ...DONE, detail: "x".repeat(200) });
  checklist.finish();
  const line = screen.text().split("\n")[0]?.replace("\u001b[K", "") ?? "";
  expect(line).not.toContain("\u001b");
  expect(line.length).toBeLessThan(60);
  expect(line).toContain("…");
});

test("elsewhere each change is one line, and progress that only counts is told every ten seconds", () => {
  const log = terminal(false);
  const checklist = createChecklist(log, { json: false, color: true });
  for (const second of [1, 2, 3, 11, 12])
    checklist.update({ title: "Temporal", state: "working", detail: `go install: ${second} s`, elapsedMs: second * 1_000 });
  checklist.update({ title: "Temporal", state: "done", detail: "ready", elapsedMs: 12_345 });
  checklist.finish();
  expect(log.text().split("\n")).toEqual([
    ".... Temporal: go install: 1 s (1.0 s)",
    ".... Temporal: go install: 11 s (11.0 s)",
    "ok   Temporal: ready (12.3 s)",
    "",
  ]);
});

test("as JSON each change is one object a line", () => {
  const log = terminal(true);
  const checklist = createChecklist(log, { json: true, color: true });
  checklist.update(DONE);
  checklist.finish();
  expect(JSON.parse(log.text())).toEqual({ event: "step", ...DONE });
});
