import { randomUUID } from "node:crypto";
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSameProcess, processIdentity } from "./processes/process-identity.ts";
import { sentenceOf, StackError } from "./stack-error.ts";

/**
 * Makes the data folder and claims it for this process; the returned function releases it.
 * Throws: ALREADY_RUNNING when a living process holds it, because two servers on one folder spoil it; DATA_UNUSABLE when it
 * is no folder.
 */
export function claimDataDir(dataDir: string): () => void {
  makeDataDir(dataDir);
  const lock = join(dataDir, "lock");
  const mine = `${lock}.${randomUUID()}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, identity: processIdentity(process.pid) ?? "" }), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      if (tryLink(mine, lock)) return () => rmSync(lock, { force: true });
      const holder = readHolder(lock);
      if (holder !== undefined && isSameProcess(holder.pid, holder.identity))
        throw new StackError(
          "ALREADY_RUNNING",
          `Saldo already runs on ${dataDir} (process ${holder.pid}); stop it first, or choose another folder with DATA_DIR.`,
        );
      removeStale(lock, holder);
    }
    throw new StackError("ALREADY_RUNNING", `The data folder ${dataDir} could not be claimed: others keep taking it.`);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** The pid of the living process that holds the data folder, whether it starts or runs; undefined when there is none. */
export function holderOfDataDir(dataDir: string): number | undefined {
  const holder = readHolder(join(dataDir, "lock"));
  return holder !== undefined && isSameProcess(holder.pid, holder.identity) ? holder.pid : undefined;
}

/** Makes the data folder when it is not there. Safe to retry. Throws: DATA_UNUSABLE when it is no folder or cannot be made. */
export function makeDataDir(dataDir: string): void {
  try {
    const found = statSync(dataDir, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) return;
    if (found !== undefined) throw new StackError("DATA_UNUSABLE", `DATA_DIR ${dataDir} is a file; name a folder, which may be new.`);
    mkdirSync(dataDir, { recursive: true });
    // Under root Postgres runs as another user, who must pass through this folder to reach its own.
    chmodSync(dataDir, 0o711);
  } catch (error) {
    if (error instanceof StackError) throw error;
    throw new StackError("DATA_UNUSABLE", `DATA_DIR ${dataDir} cannot be made (${sentenceOf(error)}); name another folder.`);
  }
}

type Holder = { readonly pid: number; readonly identity: string };

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readHolder(lock: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(lock, "utf8")) as Holder;
  } catch {
    return undefined;
  }
}

// Two starts may both find the lock stale. Moving the lock aside first shows whether it is still the lock that was judged.
function removeStale(lock: string, judged: Holder | undefined): void {
  const aside = `${lock}.stale-${randomUUID()}`;
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  if (readHolder(aside)?.pid !== judged?.pid) tryLink(aside, lock);
  rmSync(aside, { force: true });
}
