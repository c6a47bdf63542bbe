import { createDatabase } from "../../store/postgres/database.ts";
import { listTables, readDataDirectory, searchTable } from "../../store/postgres/text-search.ts";
import type { Finder } from "./finder.ts";
import type { Finding, PlaceReport } from "./place.ts";

const DEADLINE_MS = 3_600_000;

/**
 * Searches every column of every table that the address may read, bytes and JSON included.
 * `dataDirectory` is where the server's own files lie, when the address may know it. Throws: UNAVAILABLE.
 */
export async function scanPostgres(finder: Finder, url: string): Promise<PlaceReport & { readonly dataDirectory: string | undefined }> {
  const database = createDatabase({ url, name: "leak-scan", laneCount: 1, deadlineMs: DEADLINE_MS });
  const lane = database.openLane("leak-scan-search");
  try {
    const findings: Finding[] = [];
    let rows = 0n;
    const tables = await listTables(lane);
    for (const table of tables) {
      const result = await searchTable(lane, table, finder.pattern);
      rows += result.rows;
      for (const { column, count, example, match } of result.hits)
        findings.push({
          where: `${table.name}.${column}, ${count} rows, first at ctid ${example}`,
          spelling: finder.find(match) ?? "plain",
        });
    }
    return { place: "postgres", looked: `${tables.length} tables, ${rows} rows`, findings, dataDirectory: await readDataDirectory(lane) };
  } finally {
    await Promise.all([lane.close(), database.close()]);
  }
}
