import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { runCommand, UsageError, wholeNumber } from "../../src/cli/kit/command.ts";
import { PROJECT_DIR, ROLE_ENTRIES } from "../../src/cli/start/role-entries.ts";
import { createStartSteps } from "../../src/cli/start/start-steps.ts";
import { startSystem } from "../../src/cli/start/system.ts";
import { inheritedEnvironment, loadConfig } from "../../src/config.ts";
import { endOnSignals } from "../support/chaos-run.ts";
import { makeCertificates, startSecuredStack, variablesOf } from "../support/secured-stack.ts";
import { makeThrowAwayFolder } from "../support/throw-away-folder.ts";

const USAGE = `npm run chaos:tls -- [FILE] [--orders 200]

Runs the whole system with TLS and certificates towards all four servers, which it starts and stops itself, and in it the demo, the import
of FILE (default: test/data/purchases-sample.csv), every report and the audit, each as a command of its own.

  --orders N   how many orders the demo places
  --help       print this

Exit code: that of the first command that fails; 0 when none does.
`;

/** The commands and servers that run, each with what kills it. An end of this process ends them all: none may stay behind. */
const killable = new Set<() => void>();
process.once("exit", () => {
  for (const kill of killable) kill();
});

process.exitCode = await runCommand({
  name: "chaos:tls",
  usage: USAGE,
  options: { orders: { type: "string", default: "200" } },
  maxPositionals: 1,
  run: async ({ values, positionals: [file = "test/data/purchases-sample.csv"] }) => {
    const orders = wholeNumber("--orders", values.orders, { min: 1, max: 100_000 });
    if (!existsSync(join(PROJECT_DIR, file)) && !existsSync(file)) throw new UsageError(`there is no file ${file}`);
    // Without this a signal, or a pipe that is closed, would leave the servers behind.
    endOnSignals();
    return await runSecured([["doctor"], ["demo", "--orders", String(orders)], ["import", file], ["report", "--all"], ["audit"]]);
  },
});

async function runSecured(commands: readonly (readonly string[])[]): Promise<number> {
  const folder = makeThrowAwayFolder("secured-demo");
  const cacheDir = process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo");
  const onKillable = (kill: () => void) => void killable.add(kill);
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  try {
    const certificates = await makeCertificates(join(folder, "certificates"));
    const servers = ["postgres", "temporal", "kafka", "redis"] as const;
    const stack = await startSecuredStack({ certificates, servers, dataDir: folder, cacheDir, onKillable });
    try {
      const settings = {
        ...Object.fromEntries(["HTTP", "PURCHASES", "PSP"].map((name) => [`${name}_PORT`, "0"])),
        ...variablesOf(stack, certificates),
        DATA_DIR: join(folder, "data"),
        CACHE_DIR: cacheDir,
      };
      const environment = { ...inheritedEnvironment(), ...settings };
      const config = loadConfig(settings, folder);
      const steps = createStartSteps(config);
      const system = await startSystem({ config, environment, ephemeral: false, entries: ROLE_ENTRIES, steps, onKillable });
      try {
        let exitCode = 0;
        for (const [command = "", ...words] of commands) {
          const code = await run(command, words, environment);
          if (exitCode === 0) exitCode = code;
        }
        return exitCode;
      } finally {
        await system.stop();
      }
    } finally {
      await stack.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(command: string, words: readonly string[], environment: Readonly<Record<string, string | undefined>>): Promise<number> {
  process.stdout.write(`\n$ npm run ${command} -- ${words.join(" ")}\n`);
  const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", `src/cli/${command}.ts`, ...words], {
    cwd: PROJECT_DIR,
    env: environment,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const kill = () => void child.kill("SIGKILL");
  killable.add(kill);
  const [code] = (await once(child, "exit")) as [number | null];
  killable.delete(kill);
  process.stdout.write(`exit code ${String(code)}\n`);
  return code ?? 1;
}
