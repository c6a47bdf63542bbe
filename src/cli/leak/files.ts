import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Finder, Spelling } from "./finder.ts";
import type { Finding, PlaceReport } from "./place.ts";

const CHUNK_BYTES = 1_048_576;

/**
 * Searches every file below the folders: logs, reports, the provider's book, and the raw files of the servers (Kafka's logs, Temporal's
 * database, Redis's dump, Postgres's files and its write-ahead log), in which deleted rows still stand.
 * Passes over files that vanish during the search. Throws: the system's error for a file that may not be read.
 */
export async function scanFiles(finder: Finder, folders: readonly string[]): Promise<PlaceReport> {
  const findings: Finding[] = [];
  let files = 0;
  let bytes = 0;
  for (const folder of outermost(folders))
    for await (const path of filesBelow(folder)) {
      const result = await scanFile(finder, path);
      if (result === undefined) continue;
      files += 1;
      bytes += result.bytes;
      if (result.spelling !== undefined) findings.push({ where: finder.mask(path), spelling: result.spelling });
      else if (finder.mask(path) !== path) findings.push({ where: `the name of ${finder.mask(path)}`, spelling: "plain" });
    }
  return {
    place: "files",
    looked: `${files} files, ${Math.ceil(bytes / 1_048_576)} MiB`,
    findings,
    ...(files === 0 ? { nothing: true } : {}),
  };
}

function outermost(folders: readonly string[]): string[] {
  const all = [...new Set(folders.map((folder) => resolve(folder)))];
  return all.filter((folder) => !all.some((other) => other !== folder && folder.startsWith(join(other, "/"))));
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(unlessGone);
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name);
    // Links are not followed: their target lies below another folder that is searched, or is no file of Saldo.
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

async function scanFile(finder: Finder, path: string): Promise<{ bytes: number; spelling: Spelling | undefined } | undefined> {
  let rest = "";
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      const text = rest + chunk.toString("latin1");
      const spelling = finder.find(text);
      if (spelling !== undefined) return { bytes, spelling };
      rest = text.slice(-finder.maxLength);
    }
  } catch (error) {
    return unlessGone(error);
  }
  return { bytes, spelling: undefined };
}

function unlessGone(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
