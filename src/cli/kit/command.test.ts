import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { CommandFailure, runCommand, secondsAsMs, UsageError, wholeNumber } from "./command.ts";

const PROJECT_DIR = fileURLToPath(new URL("../../../", import.meta.url));

async function call(args: readonly string[], run: () => Promise<number> = async () => 0, failureCode = 1) {
  const written = { out: "", err: "" };
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => ((written.out += String(text)), true));
  const err = vi.spyOn(process.stderr, "write").mockImplementation((text) => ((written.err += String(text)), true));
  try {
    const options = { json: { type: "boolean" } } as const;
    return { code: await runCommand({ name: "count", usage: "USAGE\n", options, args, failureCode, maxPositionals: 1, run }), ...written };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

describe("a command", () => {
  it("answers its own exit code, and 0 with the usage for --help whatever else is said", async () => {
    expect(await call(["--json", "word"], async () => 7)).toEqual({ code: 7, out: "", err: "" });
    expect(await call(["--help", "--wrong"])).toEqual({ code: 0, out: "USAGE\n", err: "" });
  });

  it("ends with 2 and the usage for an option it does not have and for a word too many", async () => {
    expect(await call(["--wrong"])).toMatchObject({ code: 2, err: expect.stringMatching(/^count: .*--wrong[^]*USAGE/) as unknown });
    expect(await call(["a", "b"])).toMatchObject({ code: 2, err: "count: b is one word too many\n\nUSAGE\n" });
  });

  it("tells what is thrown in one sentence without a stack", async () => {
    const throwing = (error: Error) => async () => {
      throw error;
    };
    expect(await call([], throwing(new UsageError("no")))).toEqual({ code: 2, out: "", err: "count: no\n" });
    expect(await call([], throwing(new CommandFailure("no")), 3)).toEqual({ code: 3, out: "", err: "count: no\n" });
    expect(await call([], throwing(new Error("no")))).toEqual({ code: 1, out: "", err: "count: it failed: no\n" });
  });

  it("takes numbers and times only as they are meant", () => {
    expect(wholeNumber("--n", "7", { min: 1, max: 9 })).toBe(7);
    for (const wrong of ["0", "10", "1.5", "1e0", "", "x"]) expect(() => wholeNumber("--n", wrong, { min: 1, max: 9 })).toThrow(UsageError);
    expect(secondsAsMs("--t", "1.5")).toBe(1_500);
    for (const wrong of ["0", "-1", "x", "Infinity"]) expect(() => secondsAsMs("--t", wrong)).toThrow(UsageError);
  });
});

describe("the commands of the terminal", () => {
  it("all go through this one frame", () => {
    const { scripts } = JSON.parse(readFileSync(`${PROJECT_DIR}package.json`, "utf8")) as { scripts: Record<string, string> };
    const entries = Object.values(scripts).flatMap((script) => /src\/cli\/[\w-]+\.ts/.exec(script) ?? []);
    expect(entries.length).toBeGreaterThan(5);
    // The start's own file only chooses between its sources and what was compiled of them.
    const START = "src/cli/start.ts";
    const frames = [...entries.filter((entry) => entry !== START), "src/cli/start/run-start.ts"];
    expect(entries).toContain(START);
    for (const entry of [...frames, "src/cli/migrate.ts", "src/cli/build-bundle.ts"])
      expect(readFileSync(`${PROJECT_DIR}${entry}`, "utf8"), entry).toMatch(/(?:await|void) runCommand\(/);
  });

  it("end as processes with 0 for --help and with 2 for a wrong option", async () => {
    expect(await Promise.all([runCli("audit", "--help"), runCli("audit", "--no-such-option")])).toEqual([0, 2]);
  });
});

function runCli(name: string, argument: string): Promise<number> {
  const file = `${PROJECT_DIR}src/cli/${name}.ts`;
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", file, argument], { env: { PATH: process.env["PATH"] } }, (error) =>
      resolve(error === null ? 0 : Number(error.code)),
    );
  });
}
