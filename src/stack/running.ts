import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSameProcess, processIdentity } from "./processes/process-identity.ts";

/** The note of a running system with the addresses of its parts, for the other commands of the same data folder. Addresses hold passwords. */
export type Running = {
  readonly pid: number;
  readonly identity: string;
  readonly startedAt: string;
  readonly databaseUrl: string;
  readonly databaseAdminUrl: string;
  readonly temporalAddress: string;
  readonly temporalBinary?: string | undefined;
  readonly kafkaBrokers?: readonly string[] | undefined;
  readonly redisUrl?: string | undefined;
  readonly apiUrl: string;
  readonly purchasesUrl: string;
  readonly pspUrl?: string | undefined;
  readonly pspApiKey?: string | undefined;
  readonly temporalUiUrl?: string | undefined;
  /** The folder of the keys that sign access tokens. */
  readonly keysDir?: string | undefined;
  /** The metrics page of each role without an HTTP interface. */
  readonly metricsUrls?: Readonly<Record<string, string>> | undefined;
  readonly logDir: string;
  readonly roles: readonly { readonly name: string; readonly pid: number | undefined }[];
};

/** Writes the note that this process runs a system from `dataDir`; only the owner may read it. Safe to retry. */
export function writeRunning(dataDir: string, running: Omit<Running, "pid" | "identity">): void {
  const path = pathOf(dataDir);
  const note: Running = { ...running, pid: process.pid, identity: processIdentity(process.pid) ?? "" };
  writeFileSync(`${path}.new`, `${JSON.stringify(note, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The system that runs from `dataDir`, or undefined when none does: the note of a process that is gone does not count. */
export function readRunning(dataDir: string): Running | undefined {
  try {
    const running = JSON.parse(readFileSync(pathOf(dataDir), "utf8")) as Running;
    return isSameProcess(running.pid, running.identity) ? running : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the note when it is this process's own. Safe to retry. */
export function removeRunning(dataDir: string): void {
  if (readRunning(dataDir)?.pid === process.pid) rmSync(pathOf(dataDir), { force: true });
}

function pathOf(dataDir: string): string {
  return join(dataDir, "running.json");
}
