import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** Text is gathered up to this much before it is written: a report line is some 40 bytes, and each write is a system call. */
const WRITE_BYTES = 65_536;

/**
 * Writes a file whole or not at all: into a hidden file beside it, synced, then renamed. A reader of `fileName` sees a complete
 * file or none. Hidden files that earlier attempts left behind are removed.
 * Safe to retry: the same text gives the same file. Throws: the system's error, such as ENOSPC, after removing its own hidden file.
 */
export async function writeWholeFile(options: {
  directory: string;
  fileName: string;
  write: (append: (text: string) => Promise<void>) => Promise<void>;
}): Promise<{ sha256: string }> {
  const { directory, fileName } = options;
  await mkdir(directory, { recursive: true });
  await removeLeftovers(directory, fileName);
  const hidden = join(directory, `${hiddenPrefix(fileName)}${randomUUID()}`);
  const hash = createHash("sha256");
  try {
    const file = await open(hidden, "wx", 0o640);
    try {
      let gathered = "";
      const flush = async () => {
        hash.update(gathered);
        await file.appendFile(gathered);
        gathered = "";
      };
      await options.write(async (text) => {
        gathered += text;
        if (gathered.length >= WRITE_BYTES) await flush();
      });
      await flush();
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(hidden, join(directory, fileName));
  } catch (error) {
    await rm(hidden, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(directory);
  return { sha256: hash.digest("hex") };
}

function hiddenPrefix(fileName: string): string {
  return `.${fileName}.`;
}

async function removeLeftovers(directory: string, fileName: string): Promise<void> {
  for (const name of await readdir(directory))
    if (name.startsWith(hiddenPrefix(fileName))) await rm(join(directory, name), { force: true });
}

// Without it a power cut can undo the rename although the file itself is on disk.
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
