import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSameProcess, processIdentity } from "./process-identity.ts";
import { signalGroup, stopProcess, type StopStep } from "./stop-process.ts";

export type PidRecord = {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
  readonly stopSteps: readonly StopStep[];
};

/**
 * Records a spawned process, so that a later start can stop it when this process is killed before it could. Returns the function that removes
 * the record.
 */
export function recordProcess(directory: string, started: { name: string; pid: number; stopSteps: readonly StopStep[] }): () => void {
  const path = join(directory, `${started.name}.json`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const record: PidRecord = { ...started, identity: processIdentity(started.pid) ?? "" };
  writeFileSync(path, JSON.stringify(record), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

/**
 * Stops every recorded process that a killed parent left behind, and removes its record.
 * A pid that meanwhile belongs to another process is left alone. Safe to retry: ended processes are passed over.
 * Returns the names of the stopped processes.
 */
export async function stopOrphans(directory: string): Promise<string[]> {
  const orphans = readRecords(directory);
  const stopped = await Promise.all(
    orphans.map(async ({ path, record }) => {
      const lives = record !== undefined && record.identity !== "" && isSameProcess(record.pid, record.identity);
      if (lives) await stopProcess({ pid: record.pid, isAlive: () => isSameProcess(record.pid, record.identity), steps: record.stopSteps });
      rmSync(path, { force: true });
      return lives ? record.name : undefined;
    }),
  );
  return stopped.filter((name) => name !== undefined);
}

/**
 * Kills every recorded process at once and without waiting, for the last moment of a process that must end now.
 * A pid that meanwhile belongs to another process is left alone.
 */
export function killRecorded(directory: string): void {
  for (const { record } of readRecords(directory))
    if (record !== undefined && record.identity !== "" && isSameProcess(record.pid, record.identity)) signalGroup(record.pid, "SIGKILL");
}

function readRecords(directory: string): { path: string; record: PidRecord | undefined }[] {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
  return names.map((name) => {
    const path = join(directory, name);
    return { path, record: parseRecord(path) };
  });
}

// A record cut short by a kill names no process that could be verified.
function parseRecord(path: string): PidRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, "utf8")) as PidRecord;
    return Number.isInteger(record.pid) && record.pid > 1 && Array.isArray(record.stopSteps) ? record : undefined;
  } catch {
    return undefined;
  }
}
