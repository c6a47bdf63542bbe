import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PROJECT_DIR } from "./start/role-entries.ts";

const folder = mkdtempSync(join(tmpdir(), "saldo-start-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("payload keys that everybody may read end the start with that one sentence, before anything is started", () => {
  const file = join(folder, "payload-keys");
  writeFileSync(file, `k1:${Buffer.alloc(32, 1).toString("base64")}\n`, { mode: 0o644 });
  const dataDir = join(folder, "data");
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", join(PROJECT_DIR, "src/cli/start.ts")], {
    cwd: PROJECT_DIR,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], DATA_DIR: dataDir, TEMPORAL_PAYLOAD_ENCRYPTION: "required", TEMPORAL_PAYLOAD_KEYS_FILE: file },
  });
  expect(stderr).toBe(`The payload keys in ${file} cannot be used: every user of this machine may read it; chmod 400 would change that\n`);
  expect({ status, stdout, made: existsSync(dataDir) }).toEqual({ status: 1, stdout: "", made: false });
});
