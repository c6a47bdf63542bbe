import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isInThrowAwayFolder } from "../processes/throw-away.ts";
import { readOrCreateSecret } from "../secrets.ts";
import { reachableDirectory } from "./postgres-binaries.ts";

const PREFIX = "data-";
const OWNER = "owner.json";

type Owner = { readonly dataDir: string; readonly throwAway: boolean };

/**
 * The folder for the cluster of a data folder that the system user postgres cannot enter, made when it is not there, with a note
 * that names the data folder. Its own name is a secret kept in the data folder beside the passwords: after the data folder is removed
 * a new cluster is made, as the passwords of the old one are gone.
 * Throws: TOOL_MISSING when the shared folder belongs to somebody else.
 */
export function movedClusterFolder(dataDir: string, options: { ephemeral: boolean; parent?: string }): string {
  const folder = join(options.parent ?? reachableDirectory(), `${PREFIX}${readOrCreateSecret(dataDir, "postgres-folder")}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const owner: Owner = { dataDir: resolve(dataDir), throwAway: options.ephemeral || isInThrowAwayFolder(dataDir) };
  writeFileSync(join(folder, OWNER), JSON.stringify(owner), { mode: 0o600 });
  return folder;
}

/**
 * Removes the moved clusters of throw-away data folders that are gone: those of killed tests and of killed starts with `--ephemeral`.
 * The cluster of any other data folder stays even when that folder cannot be seen, for it may have been moved, also out of the temporary
 * folder, or its disk not be mounted; so does one whose server runs. Returns the removed folders. Safe to retry.
 */
export function clearMovedClusters(parent: string): string[] {
  const removed = foldersOf(parent).filter((folder) => {
    const owner = ownerOf(folder);
    return owner?.throwAway === true && !existsSync(owner.dataDir) && !isServed(folder);
  });
  for (const folder of removed) rmSync(folder, { recursive: true, force: true });
  return removed;
}

/** The moved clusters that no data folder on this machine claims, for a person to judge: `dataDir` is undefined where no note says whose they were. */
export function clustersWithoutOwner(parent: string): { readonly folder: string; readonly dataDir: string | undefined }[] {
  return foldersOf(parent)
    .map((folder) => ({ folder, dataDir: ownerOf(folder)?.dataDir }))
    .filter(({ folder, dataDir }) => (dataDir === undefined || !existsSync(dataDir)) && !isServed(folder));
}

function foldersOf(parent: string): string[] {
  try {
    return readdirSync(parent)
      .filter((name) => name.startsWith(PREFIX))
      .map((name) => join(parent, name));
  } catch {
    return [];
  }
}

function ownerOf(folder: string): Owner | undefined {
  try {
    const { dataDir, throwAway } = JSON.parse(readFileSync(join(folder, OWNER), "utf8")) as Partial<Owner>;
    return typeof dataDir === "string" && dataDir !== "" ? { dataDir, throwAway: throwAway === true } : undefined;
  } catch {
    return undefined;
  }
}

// The first line of Postgres' status file is its pid. A pid that was given to another process since keeps the folder until that process ends.
function isServed(folder: string): boolean {
  try {
    const pid = Number(readFileSync(join(folder, "postgres", "postmaster.pid"), "utf8").split("\n")[0]);
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
