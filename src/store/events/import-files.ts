import { sql } from "drizzle-orm";
import type { Db } from "../postgres/database.ts";

/** The rows of a file that have no id of their own: how many they are, and the last one's hash in the file's chain. */
export interface UnnamedRows {
  readonly rows: number;
  readonly head: string;
}

/** Whose rows they are. */
export interface ImportSource {
  readonly topic: string;
  readonly source: string;
}

/** The files that a source brought to a topic, in their order. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function readImportFiles(db: Db, { topic, source }: ImportSource): Promise<UnnamedRows[]> {
  const rows = await db.execute<{ rows: number; head: string }>(sql`
    select rows, head from import_files where topic = ${topic} and source = ${source} order by version`);
  return [...rows].map(({ rows: count, head }) => ({ rows: count, head }));
}

/**
 * Keeps that a source brings a further file, its `version`th, before any row of it is produced. Answers false when the source has such a file:
 * of two imports at the same time one has it. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export async function recordImportFile(db: Db, file: ImportSource & UnnamedRows & { readonly version: number }): Promise<boolean> {
  const rows = await db.execute(sql`
    insert into import_files (topic, source, version, rows, head)
    values (${file.topic}, ${file.source}, ${file.version}::integer, ${file.rows}::integer, ${file.head})
    on conflict do nothing returning version`);
  return rows.length === 1;
}

/** Whether anything is known of one of these events, by their permanent keys. Throws: UNAVAILABLE or DEADLINE_EXCEEDED. */
export async function isAnyEventKnown(db: Db, keys: readonly string[]): Promise<boolean> {
  const [row] = await db.execute<{ known: boolean }>(sql`
    with wanted as (select value as key from json_array_elements_text(${JSON.stringify(keys)}::json))
    select exists (select 1 from wanted w join operations o on o.key = w.key)
        or exists (select 1 from wanted w join dead_letters l on l.identity = w.key)
        or exists (select 1 from wanted w join event_identities e on e.identity = w.key) as known`);
  return row?.known === true;
}
