import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { BookEntry } from "./book.ts";

/** The book on disk: one JSON object a line, appended and never changed. */
export interface BookFile {
  /** The entries that the file held when it was opened. */
  readonly entries: readonly BookEntry[];
  /** Settles when these entries and all earlier ones are on the disk. Throws: the system's error; after the first failure every call throws it again. */
  append(entries: readonly BookEntry[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the book's file, and makes it when it is not there. A last line without a line end is cut off: its writer was killed before it
 * answered. Throws: Error that names the line, when any other line cannot be read.
 */
export async function openBookFile(path: string): Promise<BookFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, "a+", 0o600);
  try {
    const bytes = await file.readFile();
    const wholeLength = bytes.lastIndexOf(0x0a) + 1;
    if (wholeLength < bytes.length) await file.truncate(wholeLength);
    const lines = bytes.subarray(0, wholeLength).toString("utf8").split("\n").slice(0, -1);
    const entries = lines.map((line, place) => readLine(line, `${path}, line ${place + 1}`));
    return { entries, ...createAppender(file) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function readLine(line: string, place: string): BookEntry {
  try {
    return JSON.parse(line) as BookEntry;
  } catch {
    throw new Error(`the payment provider's book cannot be read: ${place} is not JSON`);
  }
}

function createAppender(file: FileHandle): Pick<BookFile, "append" | "close"> {
  let waiting = "";
  let next: Promise<void> | undefined;
  let current: Promise<void> = Promise.resolve();
  const writeWaiting = async () => {
    const text = waiting;
    waiting = "";
    next = undefined;
    if (text === "") return;
    await file.appendFile(text);
    await file.datasync();
  };
  return {
    // Entries that come while a write is on its way to the disk are written together, by the next write.
    append(entries) {
      waiting += entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
      next ??= current = current.then(writeWaiting);
      return next;
    },
    async close() {
      await current.catch(() => {});
      await file.close();
    },
  };
}
