import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimDataDir } from "../../src/stack/data-dir.ts";
import { TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";

/**
 * Makes a folder for a run outside of vitest, which holds data folders of several systems or servers. When this process is killed, the next start
 * or run of anything of Saldo stops what it left running there and removes it. The caller removes it otherwise.
 */
export function makeThrowAwayFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${TEST_RUN_PREFIX}${name}-`));
  claimDataDir(folder);
  return folder;
}
