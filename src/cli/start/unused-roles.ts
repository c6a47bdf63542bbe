import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isSameProcess, processIdentity } from "../../stack/processes/process-identity.ts";
import { PREFIX } from "./kept-roles.ts";
import type { RoleEntries } from "./role-entries.ts";

const HOUR_MS = 3_600_000;
/** One result is some 40 MB with the machine code of its roles, and a change of any file makes another one. */
const KEPT = 5;
/** So long a start may take from finding a result to marking it. */
const JUST_TAKEN_MS = HOUR_MS;
/** A note is a list of files, some 100 kB. */
const NOTES_KEPT_MS = 30 * 24 * HOUR_MS;
const USER = "user-";

/**
 * Marks the compiled roles as used by this process until the returned function is called: a role that dies is started from them again, also
 * after starts of many other versions. Never throws: a folder of somebody else's is kept by somebody else.
 */
export function keepInUse(files: RoleEntries): () => void {
  const folder = dirname(files.api);
  if (!basename(folder).startsWith(PREFIX)) return () => undefined;
  const mark = join(folder, `${USER}${process.pid}-${randomUUID()}`);
  try {
    writeFileSync(mark, processIdentity(process.pid) ?? "");
  } catch {}
  return () => rmSync(mark, { force: true });
}

/** Removes from the cache what was compiled of older versions: all but `used`, the newest few, and what a process has in use. Safe to retry. */
export async function removeUnused(cacheDir: string, used: readonly string[]): Promise<void> {
  const names = (await readdir(cacheDir)).filter((name) => name.startsWith(PREFIX) && !used.includes(join(cacheDir, name)));
  const found = await Promise.all(names.map(async (name) => await ageOf(join(cacheDir, name))));
  const notes = found.filter(({ path }) => path.endsWith(".json"));
  const results = found.filter(({ path }) => !path.endsWith(".json")).toSorted((a, b) => a.ageMs - b.ageMs);
  const newest = KEPT - used.filter((path) => !path.endsWith(".json")).length;
  for (const { path } of notes.filter(({ ageMs }) => ageMs > NOTES_KEPT_MS)) await rm(path, { force: true });
  for (const { path, ageMs } of results.slice(newest)) if (ageMs > JUST_TAKEN_MS && !(await isInUse(path))) await removeWhole(path);
}

async function ageOf(path: string): Promise<{ path: string; ageMs: number }> {
  const found = await stat(path).catch(() => undefined);
  return { path, ageMs: Date.now() - (found?.mtimeMs ?? Date.now()) };
}

// Another start may remove the folder, or a process its mark, at the same time.
async function isInUse(folder: string): Promise<boolean> {
  const marks = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(USER));
  const users = await Promise.all(
    marks.map(async (name) => ({ pid: Number(name.split("-")[1]), identity: await readFile(join(folder, name), "utf8").catch(() => "") })),
  );
  return users.some(({ pid, identity }) => isSameProcess(pid, identity));
}

/** A start that finds the folder finds it whole or not at all. */
async function removeWhole(folder: string): Promise<void> {
  const leaving = join(dirname(folder), `.${basename(folder)}-${randomUUID()}`);
  await rename(folder, leaving).catch(() => undefined);
  await rm(leaving, { recursive: true, force: true });
}
