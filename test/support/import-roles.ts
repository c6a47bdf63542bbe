import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ImportTally } from "../../src/cli/import/count-fates.ts";
import { PROJECT_DIR } from "../../src/cli/start/role-entries.ts";
import type { SupervisedRole } from "../../src/stack/processes/supervisor.ts";
import { roleSettings, startTestRole, type RoleServers } from "./test-roles.ts";

export interface ImportRoles {
  readonly roles: Readonly<Record<"worker" | "bridge" | "relay", SupervisedRole>>;
  /** Runs `npm run import` as a process of its own; `args` follow the command. */
  runImport(args: readonly string[]): Promise<ImportRun>;
  stop(): Promise<void>;
}

/** The exit code of an import, and what it printed with `--json`. */
export interface ImportRun {
  readonly exitCode: number | null;
  readonly result: ImportTally & {
    readonly badRows: number;
    readonly badRowLines: readonly { readonly line: number }[];
    readonly seconds: number;
  };
  readonly errors: string;
}

const IMPORT_ENTRY = fileURLToPath(new URL("../../src/cli/import.ts", import.meta.url));

/** Starts worker, bridge and relay as processes of their own, which are restarted when they die. Settles when all are ready. */
export async function startImportRoles(
  addresses: RoleServers,
  options: { readonly dataDir: string; readonly settings?: Readonly<Record<string, string>> },
): Promise<ImportRoles> {
  const environment = roleSettings(addresses, options);
  const start = (name: "worker" | "bridge" | "relay") => startTestRole({ role: name, name, environment, dataDir: options.dataDir });
  const roles = { worker: start("worker"), bridge: start("bridge"), relay: start("relay") };
  const all = Object.values(roles);
  const stop = async () => {
    await Promise.all(all.map((role) => role.stop()));
  };
  try {
    await Promise.all(all.map((role) => role.ready));
  } catch (error) {
    await stop();
    throw error;
  }
  return { roles, stop, runImport: (args) => runImport(args, environment) };
}

function runImport(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Promise<ImportRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", IMPORT_ENTRY, ...args, "--json"], {
      env: { ...environment },
      cwd: PROJECT_DIR,
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
    child.once("error", reject);
    child.once("close", (exitCode) => {
      try {
        resolve({ exitCode, errors, result: JSON.parse(output) as ImportRun["result"] });
      } catch {
        reject(new Error(`the import ended with ${exitCode} and printed no result: ${errors}${output}`));
      }
    });
  });
}
