import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PROJECT_DIR } from "../../src/cli/start/roles.ts";

const folder = mkdtempSync(join(tmpdir(), "saldo-chaos-tls-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["--help", 0],
  ["--no-such-option", 2],
  ["no-such-file.csv", 2],
])("chaos:tls with %s prints what it takes or what is wrong, and starts nothing", (word, code) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "test/chaos/secured-demo.ts", word], {
    cwd: PROJECT_DIR,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], TMPDIR: folder },
  });
  expect(status).toBe(code);
  expect(stdout + stderr).toMatch(code === 0 ? /^npm run chaos:tls/ : /^chaos:tls: /);
  expect(readdirSync(folder).filter((name) => name.startsWith("saldo-"))).toEqual([]);
});
