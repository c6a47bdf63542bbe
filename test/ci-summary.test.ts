import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "saldo-ci-summary-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface MadeUpTest {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  readonly failureMessages: readonly string[];
}

const good = (name: string): MadeUpTest => ({ name, status: "passed", failureMessages: [] });
const bad = (name: string): MadeUpTest => ({
  name,
  status: "failed",
  failureMessages: ["Error: first try\n    at x", "Error: second try"],
});
/** As vitest reports a test that passed at its second try. */
const triedAgain = (name: string): MadeUpTest => ({
  name,
  status: "passed",
  failureMessages: [`AssertionError: ${name} was late\n    at y`],
});

/** A report of one file, in the shape of vitest's JSON reporter. */
function reportOf(tests: readonly MadeUpTest[], file: { readonly status?: string; readonly message?: string } = {}): object {
  const count = (status: string) => tests.filter((one) => one.status === status).length;
  const isFailed = count("failed") > 0 || file.status === "failed";
  return {
    numPassedTests: count("passed"),
    numFailedTests: count("failed"),
    success: !isFailed,
    testResults: [
      {
        name: resolve("src/made-up.test.ts"),
        status: isFailed ? "failed" : "passed",
        message: file.message ?? "",
        assertionResults: tests.map(({ name, ...test }) => ({ fullName: name, ...test })),
      },
    ],
  };
}

function summaryOf(report: object | undefined, env: Readonly<Record<string, string>> = {}) {
  const path = join(folder, "report.json");
  rmSync(path, { force: true });
  if (report !== undefined) writeFileSync(path, JSON.stringify(report));
  const { status, stdout } = spawnSync(process.execPath, [".ci/summary.mjs"], {
    encoding: "utf8",
    env: { ...process.env, CHECKS_FAILED: "0", ...env, SALDO_TEST_RESULTS: path },
  });
  return { status, lines: stdout.trimEnd().split("\n") };
}

describe("the last lines of a run in CI", () => {
  it("say how many passed, and nothing else where all did at once", () => {
    expect(summaryOf(reportOf([good("a"), good("b")]))).toEqual({ status: 0, lines: ["2 passed, 0 failed"] });
  });

  it("name the tests that needed a second try, with the first line of why; two are let through", () => {
    expect(summaryOf(reportOf([triedAgain("a"), good("b"), triedAgain("c")]))).toEqual({
      status: 0,
      lines: [
        "passed only when tried again: src/made-up.test.ts: a: AssertionError: a was late",
        "passed only when tried again: src/made-up.test.ts: c: AssertionError: c was late",
        "3 passed, 0 failed",
      ],
    });
  });

  it("count three that needed a second try as failed", () => {
    const { status, lines } = summaryOf(reportOf([triedAgain("a"), triedAgain("b"), triedAgain("c"), good("d")]));
    expect(status).toBe(1);
    expect(lines.slice(-5)).toEqual([
      ...["a", "b", "c"].map((name) => `passed only when tried again: src/made-up.test.ts: ${name}: AssertionError: ${name} was late`),
      "3 tests needed a second try, and 2 may: they count as failed",
      "1 passed, 3 failed",
    ]);
  });

  it("name what failed before what was tried again, and a failed test is not one that passed late", () => {
    const { status, lines } = summaryOf(reportOf([triedAgain("late"), bad("broken")]));
    expect(status).toBe(1);
    expect(lines).toEqual([
      "failed: src/made-up.test.ts: broken",
      "  Error: first try",
      "      at x",
      "passed only when tried again: src/made-up.test.ts: late: AssertionError: late was late",
      "1 passed, 1 failed",
    ]);
  });

  it("count a file that could not be run as a failure", () => {
    const { status, lines } = summaryOf(reportOf([good("a")], { status: "failed", message: "Error: no such module" }));
    expect([status, ...lines]).toEqual([1, "a file failed: src/made-up.test.ts", "  Error: no such module", "1 passed, 1 failed"]);
  });

  it("count a file whose hook failed, of which the report says nothing, or a run that failed without a failed test", () => {
    const hook = reportOf([{ name: "left out", status: "skipped", failureMessages: [] }], { status: "failed" });
    expect(summaryOf(hook)).toEqual({
      status: 1,
      lines: ["a file failed: src/made-up.test.ts", "  one of its hooks failed", "0 passed, 1 failed"],
    });
    const { status, lines } = summaryOf({ ...reportOf([good("a")]), success: false });
    expect([status, lines.at(-1)]).toEqual([1, "1 passed, 1 failed"]);
  });

  it("are of a failure where there is no report, no test in it, or a check failed", () => {
    const without = summaryOf(undefined);
    expect([without.status, without.lines[0], without.lines.at(-1)]).toEqual([
      1,
      expect.stringContaining("there is no report of the tests"),
      "0 passed, 1 failed",
    ]);
    expect(summaryOf(reportOf([]))).toEqual({ status: 1, lines: ["the report has no test that passed", "0 passed, 1 failed"] });
    expect(summaryOf(reportOf([good("a")]), { CHECKS_FAILED: "1" })).toEqual({
      status: 1,
      lines: ["npm run check failed", "1 passed, 1 failed"],
    });
  });
});
