import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { isAbandoned } from "../../src/stack/processes/abandoned.ts";
import { TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";

const NOTE = "vitest-folder";

/**
 * Makes the folder of one run of the tests and turns the temporary folder of this process, and of all that it starts, to a folder in it: whatever
 * a test, a server or vitest writes there is removed with the run's folder, by the end of the run or, after a kill, by the next run.
 * Called once, in vitest's own process, before it has made a folder itself.
 */
export function enterRunFolder(): void {
  const temporary = join(tmpdir(), `${TEST_RUN_PREFIX}${process.pid}-${Date.now()}`, "tmp");
  mkdirSync(temporary, { recursive: true, mode: 0o711 });
  process.env["TMPDIR"] = temporary;
}

/** The folder of this run, and the machine's temporary folder, in which those of other runs lie beside it. */
export function runFolder(): { folder: string; parent: string } {
  const folder = dirname(tmpdir());
  return { folder, parent: dirname(folder) };
}

/**
 * Keeps in the run's folder which folder vitest has made for its compiled modules, and removes those of killed runs: vitest names that folder
 * before it reads its configuration, so it lies outside of the run's folder and only a run that ends removes it.
 */
export function keepVitestFolder(vitestFolder: string): void {
  const { folder, parent } = runFolder();
  for (const name of readdirSync(parent).filter((entry) => entry.startsWith(TEST_RUN_PREFIX))) {
    const noted = isAbandoned(join(parent, name)) ? readNote(join(parent, name, NOTE)) : undefined;
    // Only what lies directly in the temporary folder and is named as vitest names its folders is removed.
    if (noted !== undefined && dirname(noted) === parent && /^[\w-]{21}$/.test(basename(noted)))
      rmSync(noted, { recursive: true, force: true });
  }
  writeFileSync(join(folder, NOTE), vitestFolder);
}

function readNote(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
