import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { stopOrphans } from "./pid-file.ts";
import { isSameProcess } from "./process-identity.ts";

/**
 * Clears away the throw-away data folders of parents that were killed: stops the servers that they left running and removes
 * the folders. Leaves a folder alone whose owner lives. Returns the removed folders.
 */
export async function clearAbandoned(parentDir: string, prefix: string): Promise<string[]> {
  const candidates = readdirSync(parentDir)
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(parentDir, name));
  const abandoned = candidates.filter(isAbandoned);
  for (const directory of abandoned) {
    await stopOrphans(join(directory, "pids"));
    rmSync(directory, { recursive: true, force: true });
  }
  return abandoned;
}

// A folder without a readable lock may be one that is just being made.
function isAbandoned(directory: string): boolean {
  try {
    const { pid, identity } = JSON.parse(readFileSync(join(directory, "lock"), "utf8")) as { pid: number; identity: string };
    return !isSameProcess(pid, identity);
  } catch {
    return false;
  }
}
