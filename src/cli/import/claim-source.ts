import { eventKey } from "../../contract/ids.ts";
import {
  isAnyEventKnown,
  readImportFiles,
  recordImportFile,
  type ImportSource,
  type UnnamedRows,
} from "../../store/events/import-files.ts";
import type { Db } from "../../store/postgres/database.ts";
import { rowEventId } from "./row-chain.ts";

/** The file's rows without an id cannot be told from rows that its source brought before. */
export class OverlappingFile extends Error {
  override readonly name = "OverlappingFile";
}

/** An earlier release made ids of lines. Its imports began with the first row, so that a few lines tell whether there was one. */
const MAX_EARLIER_LINES = 5_000;

/** The rows of one file that have no id of their own, as they are read one after the other. */
export interface UnnamedRowsReader {
  add(hash: string, line: number): void;
  /** How many there are, and the last one's hash. */
  all(): UnnamedRows;
  /** The hash of the `count`th of them, where `count` is one of the counts that the reader was made for. */
  headAt(count: number): string | undefined;
  /** The lines of the first of them. */
  lines(): readonly number[];
}

/** Memory does not grow with the file: only the hashes at `counts` are kept, and the first lines. */
export function createUnnamedRowsReader(counts: readonly number[]): UnnamedRowsReader {
  const wanted = new Set(counts);
  const heads = new Map<number, string>();
  const lines: number[] = [];
  let rows = 0;
  let head = "";
  return {
    add(hash, line) {
      rows += 1;
      head = hash;
      if (wanted.has(rows)) heads.set(rows, hash);
      if (lines.length < MAX_EARLIER_LINES) lines.push(line);
    },
    all: () => ({ rows, head }),
    headAt: (count) => heads.get(count),
    lines: () => lines,
  };
}

/** How a file stands to the files that its source brought before: `longer` begins with the longest of them, `again` was there, `other` overlaps. */
export type Continuation = "first" | "again" | "longer" | "other";

/** Decides it. Of a file that is shorter than the longest only one that came as it is can be told. */
export function continuationOf(known: readonly UnnamedRows[], file: Pick<UnnamedRowsReader, "all" | "headAt">): Continuation {
  if (known.length === 0) return "first";
  const longest = known.reduce((one, other) => (other.rows > one.rows ? other : one));
  const { rows } = file.all();
  if (rows > longest.rows) return file.headAt(longest.rows) === longest.head ? "longer" : "other";
  return known.some((earlier) => earlier.rows === rows && earlier.head === file.headAt(rows)) ? "again" : "other";
}

/**
 * Keeps which rows a source brings, before the first of them is produced, and refuses a file that overlaps an earlier one of the source: the
 * same rows with a new one on top, or with one changed, would be booked twice under new ids. A file whose rows all have ids is never refused.
 * Safe to retry: the same file passes again. Throws: OverlappingFile; UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function claimSource(
  db: Db,
  source: ImportSource & { readonly path: string },
  known: readonly UnnamedRows[],
  file: UnnamedRowsReader,
): Promise<void> {
  const { rows, head } = file.all();
  if (rows === 0) return;
  const continuation = continuationOf(known, file);
  if (continuation === "again") return;
  if (continuation === "other") throw new OverlappingFile(overlapWords(source));
  if (continuation === "first" && (await cameByLine(db, source, file.lines()))) throw new OverlappingFile(byLineWords(source));
  if (await recordImportFile(db, { topic: source.topic, source: source.source, version: known.length + 1, rows, head })) return;
  const now = await readImportFiles(db, source);
  if (now.some((other) => other.rows === rows && other.head === head)) return;
  throw new OverlappingFile(`another file of the source ${source.source} is being imported; ${ADVICE}`);
}

const ADVICE =
  "give the rows an event_id each, which tells what came before, or, when none of them came before, the file a --source of its own";

function overlapWords({ path, source }: { path: string; source: string }): string {
  return `${path} does not begin with the rows that the source ${source} brought before, in their order, so its rows without an event_id would be booked twice; nothing was imported: ${ADVICE}`;
}

function byLineWords({ path, source }: { path: string; source: string }): string {
  return `an earlier release imported rows of the source ${source} by their lines, so rows of ${path} would be booked twice; nothing was imported: ${ADVICE}. The event_id of such a row was ${rowEventId(source, "LINE")}`;
}

async function cameByLine(db: Db, { topic, source }: ImportSource, lines: readonly number[]): Promise<boolean> {
  const keys = lines.map((line) => eventKey({ topic, partition: 0, offset: "0" }, rowEventId(source, line)));
  return await isAnyEventKnown(db, keys);
}
