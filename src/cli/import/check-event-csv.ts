import { readHeader, type Columns, type RowKind } from "./csv-columns.ts";
import { CsvFileError, readCsvRows } from "./csv-rows.ts";
import { createRowChain } from "./row-chain.ts";

/**
 * Reads the whole file once, so that nothing is produced of a file that is broken as a whole. Returns how many rows it has, and the names
 * of the columns that the import does not read. `onUnnamedRow` is told of each row without an id of its own: its hash in the file's chain,
 * and its line.
 * Throws: CsvFileError when it cannot be read, is not UTF-8, has a quote that is never closed or a row without an end, has
 * no header with the columns that its kind needs, names one of its columns twice, or gives points a currency.
 */
export async function checkEventCsv(
  path: string,
  kind: RowKind,
  onUnnamedRow: (hash: string, line: number) => void = () => {},
): Promise<{ rows: number; unreadColumns: readonly string[] }> {
  let rows = 0;
  let columns: Columns | undefined;
  let unreadColumns: readonly string[] = [];
  const chain = createRowChain();
  for await (const { record, line } of readCsvRows(path, () => (rows += 1))) {
    if (columns === undefined) {
      const { places } = (columns = readHeader(record, kind));
      unreadColumns = record.filter((_name, place) => !Object.values(places).includes(place));
      continue;
    }
    rows += 1;
    const hash = chain.next(columns, record);
    if (hash !== undefined) onUnnamedRow(hash, line);
  }
  if (columns === undefined) throw new CsvFileError(`${path} has no header`);
  return { rows, unreadColumns };
}
