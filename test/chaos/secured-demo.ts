import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { PROJECT_DIR, ROLE_ENTRIES } from "../../src/cli/start/roles.ts";
import { createStartSteps } from "../../src/cli/start/start-steps.ts";
import { startSystem } from "../../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig } from "../../src/config.ts";
import { makeCertificates, startSecuredStack, variablesOf } from "../support/secured-stack.ts";

/*
 * node --import tsx test/chaos/secured-demo.ts FILE (`npm run chaos:tls -- FILE`): the whole system with TLS and certificates towards all four
 * servers; the demo, the import of FILE and the audit, each as a command of its own. The exit code is that of the first that fails.
 */
const [file = "test/data/purchases-sample.csv", orders = "200"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "saldo-secured-demo-"));
const cacheDir = process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo");
const certificates = await makeCertificates(join(folder, "certificates"));
const stack = await startSecuredStack({ certificates, servers: ["postgres", "temporal", "kafka", "redis"], dataDir: folder, cacheDir });
const settings = {
  ...Object.fromEntries(["HTTP", "PURCHASES", "PSP"].map((name) => [`${name}_PORT`, "0"])),
  ...variablesOf(stack, certificates),
  DATA_DIR: join(folder, "data"),
  CACHE_DIR: cacheDir,
};
const environment = { ...inheritedEnvironment(), ...settings };
const config = loadConfig(settings, folder);
const system = await startSystem({ config, environment, ephemeral: false, entries: ROLE_ENTRIES, steps: createStartSteps(config) });
try {
  for (const [command = "", ...words] of [["doctor"], ["demo", "--orders", orders], ["import", file], ["report", "--all"], ["audit"]])
    await run(command, words);
} finally {
  await system.stop();
  await stack.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function run(command: string, words: readonly string[]): Promise<void> {
  process.stdout.write(`\n$ npm run ${command} -- ${words.join(" ")}\n`);
  const child = spawn(process.execPath, ["--import", "tsx", `src/cli/${command}.ts`, ...words], {
    cwd: PROJECT_DIR,
    env: environment,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = (await once(child, "exit")) as [number | null];
  process.stdout.write(`exit code ${String(code)}\n`);
  if (code !== 0) process.exitCode = code ?? 1;
}
