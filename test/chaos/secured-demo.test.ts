import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PROJECT_DIR } from "../../src/cli/start/role-entries.ts";

const folder = mkdtempSync(join(tmpdir(), "saldo-chaos-tls-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(["--no-such-option", "no-such-file.csv"])("chaos:tls with %s says what is wrong and starts nothing", (word) => {
  const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "test/chaos/secured-demo.ts", word], {
    cwd: PROJECT_DIR,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], TMPDIR: folder },
  });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^chaos:tls: /);
  expect(readdirSync(folder).filter((name) => name.startsWith("saldo-"))).toEqual([]);
});
