import { createHash } from "node:crypto";
import { readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT_DIR } from "./role-entries.ts";

/** With what the names of compiled roles begin in the cache. */
export const PREFIX = "roles-";

/** The files of each entry by its name. */
export type Entries = Readonly<Record<string, string>>;

/** A file that a result was made of: its path, its size and the instant of its last change, in ms. */
type Input = readonly [path: string, size: number, changedAtMs: number];
interface Note {
  readonly folder: string;
  readonly inputs: readonly Input[];
}

/** The compiled file of each entry in `folder`. */
export function filesIn<From extends Entries>(folder: string, entries: From): From {
  return Object.fromEntries(Object.keys(entries).map((name) => [name, join(folder, `${name}.cjs`)])) as unknown as From;
}

/** Where it is noted what these entries were compiled into. */
export function noteOf(entries: Entries, cacheDir: string): string {
  const names = Object.entries(entries).flat();
  const hash = createHash("sha256").update([PROJECT_DIR, process.version, ...names].join("\0"));
  return join(cacheDir, `${PREFIX}of-${hash.digest("hex").slice(0, 32)}.json`);
}

/**
 * The folder that these entries were compiled into, when no file that it was made of has changed since, and marks it as used; otherwise
 * undefined. Loads nothing but Node's own modules: it is what a start does first.
 */
export async function findKept(entries: Entries, cacheDir: string): Promise<string | undefined> {
  const path = noteOf(entries, cacheDir);
  try {
    const { folder, inputs } = JSON.parse(await readFile(path, "utf8")) as Note;
    const now = new Date();
    await utimes(folder, now, now);
    if (!(await Promise.all(inputs.map(isUnchanged))).every(Boolean)) return undefined;
    await utimes(path, now, now);
    return folder;
  } catch {
    return undefined;
  }
}

/** The files as they are now, for the note. Undefined when one of them was changed after `sinceMs`: nobody knows which of both was compiled. */
export async function inputsOf(paths: readonly string[], sinceMs: number): Promise<readonly Input[] | undefined> {
  const inputs = await Promise.all(
    paths.map(async (path) => {
      const { size, ctimeMs } = await stat(path);
      return [path, size, ctimeMs] as const;
    }),
  );
  return inputs.some(([, , changedAtMs]) => changedAtMs >= sinceMs) ? undefined : inputs;
}

// By the change of the inode: what npm unpacks has the same time of modification in every version.
async function isUnchanged([path, size, changedAtMs]: Input): Promise<boolean> {
  const found = await stat(path);
  return found.size === size && found.ctimeMs === changedAtMs;
}
