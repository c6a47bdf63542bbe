import { existsSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** What the name of a data folder of `npm start -- --ephemeral` begins with, and of the folder of a run of the tests. */
export const EPHEMERAL_PREFIX = "saldo-ephemeral-";
export const TEST_RUN_PREFIX = "saldo-test-";

/** Marks a data folder as kept: nothing clears it away, whatever its name. Safe to retry. */
export function markKept(dataDir: string): void {
  writeFileSync(keptMark(dataDir), "", { mode: 0o600 });
}

/** True for a data folder that is marked as kept. */
export function isKept(dataDir: string): boolean {
  return existsSync(keptMark(dataDir));
}

/** True for a path in a folder, or to one, that has the name of a throw-away folder and is not kept. */
export function isInThrowAwayFolder(path: string): boolean {
  for (let folder = resolve(path); folder !== dirname(folder); folder = dirname(folder)) {
    const isNamedSo = [EPHEMERAL_PREFIX, TEST_RUN_PREFIX].some((prefix) => basename(folder).startsWith(prefix));
    if (isNamedSo && !isKept(folder)) return true;
  }
  return false;
}

function keptMark(dataDir: string): string {
  return join(dataDir, "kept");
}
