import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PROJECT_DIR } from "../../src/cli/start/role-entries.ts";

const folder = mkdtempSync(join(tmpdir(), "saldo-chaos-help-"));
const { scripts } = JSON.parse(readFileSync(join(PROJECT_DIR, "package.json"), "utf8")) as { scripts: Record<string, string> };
const chaos = Object.entries(scripts).filter(([name]) => name.startsWith("chaos:"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(chaos)("npm run %s -- --help prints what it takes and starts nothing", (name, command) => {
  const { status, stdout } = spawnSync(process.execPath, [...command.split(" ").slice(1), "--help"], {
    cwd: PROJECT_DIR,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], TMPDIR: folder },
  });
  expect(status).toBe(0);
  expect(stdout).toMatch(new RegExp(`^npm run ${name} `));
  expect(readdirSync(folder).filter((entry) => entry.startsWith("saldo-"))).toEqual([]);
});
