import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "saldo-doctor-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NOBODY = "http://127.0.0.1:1";
const KEY = "sk_live_0123456789abcdef";

test.each([
  [{}, "simulator, by npm start alone: none is configured"],
  [{ PSP_URL: NOBODY, PSP_API_KEY: KEY }, "http at 127.0.0.1:1"],
  [{ PSP_KIND: "stripe", STRIPE_SECRET_KEY: KEY, STRIPE_API_URL: NOBODY }, "stripe at 127.0.0.1:1"],
])("the doctor names the payment provider by kind and host, never by its key: %#", (variables, provider) => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", fileURLToPath(new URL("doctor.ts", import.meta.url)), "--json"],
    { cwd: process.cwd(), encoding: "utf8", env: { PATH: process.env["PATH"], HOME: folder, DATA_DIR: folder, ...variables } },
  );
  const { findings } = JSON.parse(stdout) as { findings: { name: string; detail: string }[] };
  expect(findings.filter(({ name }) => name === "Payment provider").map(({ detail }) => detail)[0]).toBe(provider);
  expect(stdout + stderr).not.toContain(KEY);
});
