import { lstatSync, readdirSync, readFileSync, rmSync, statSync, type Dirent } from "node:fs";
import { join } from "node:path";
import { stopOrphans } from "./pid-file.ts";
import { isSameProcess } from "./process-identity.ts";
import { isKept } from "./throw-away.ts";

/** How deep below a run's folder the data folder of a system lies that a test has started: `tmp/<the test's folder>/<data>`. */
const NESTING = 3;

const UNLOCKED_FOR_MS = 3_600_000;

/**
 * Clears away the throw-away data folders of parents that were killed: stops the servers that they left running and removes
 * the folders. Leaves a folder alone whose owner lives, and one of another user of the machine: it could name any process, and cannot be
 * removed by everyone. Returns the removed folders.
 */
export async function clearAbandoned(parentDir: string, prefix: string): Promise<string[]> {
  const candidates = readdirSync(parentDir)
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(parentDir, name))
    .filter(isOwn);
  const abandoned = candidates.filter(isAbandoned);
  for (const directory of abandoned) {
    for (const records of recordsBelow(directory, NESTING)) await stopOrphans(records);
    rmSync(directory, { recursive: true, force: true });
  }
  return abandoned;
}

/** True for a throw-away folder whose owner is dead, and for one that has had no lock for an hour; a data folder that is kept is never one. */
export function isAbandoned(directory: string): boolean {
  if (isKept(directory)) return false;
  try {
    const { pid, identity } = JSON.parse(readFileSync(join(directory, "lock"), "utf8")) as { pid: number; identity: string };
    return !isSameProcess(pid, identity);
  } catch {
    return isOld(directory);
  }
}

function isOwn(directory: string): boolean {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  return found?.isDirectory() === true && (process.getuid === undefined || found.uid === process.getuid());
}

// A folder without a readable lock may be one that is just being made, which takes less than a second.
function isOld(directory: string): boolean {
  const found = statSync(directory, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > UNLOCKED_FOR_MS;
}

function recordsBelow(directory: string, depth: number): string[] {
  const folders = foldersOf(directory);
  const here = folders.includes("pids") ? [join(directory, "pids")] : [];
  if (depth === 0) return here;
  return [...here, ...folders.flatMap((name) => recordsBelow(join(directory, name), depth - 1))];
}

function foldersOf(directory: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
