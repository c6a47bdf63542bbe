import { createReadStream } from "node:fs";
import { Transform } from "node:stream";
import { parse, type CsvError } from "csv-parse";

/** A row that cannot be imported, by the line it ends on. */
export interface BadRow {
  readonly line: number;
  readonly reason: string;
}

/** The cells of one row, and the line it ends on. */
export interface CsvRow {
  readonly record: string[];
  readonly line: number;
}

/** The file as a whole cannot be imported. */
export class CsvFileError extends Error {
  override readonly name = "CsvFileError";
}

/** Each of them ends a row, whichever ended the row before. */
const LINE_ENDS = ["\r\n", "\n", "\r"];
const MAX_ROW_CHARACTERS = 100_000;
/** After one of these errors the parser finds no further row: the rest of the file would be lost silently. */
const ENDLESS = new Set(["CSV_QUOTE_NOT_CLOSED", "CSV_MAX_RECORD_SIZE"]);

/**
 * Reads the rows of a CSV file as a stream, the header among them: memory does not grow with the file. A row that is not CSV goes to
 * `onBadRow`, and reading goes on after it.
 * Throws: CsvFileError when the file cannot be read, is not UTF-8, or has a quote that is never closed or a row without an end.
 */
export async function* readCsvRows(path: string, onBadRow: (row: BadRow) => void): AsyncGenerator<CsvRow> {
  const input = createReadStream(path);
  let lastLine = 0;
  let lastBadLine = 0;
  const skip = (error: CsvError) => {
    if (ENDLESS.has(error.code)) parser.destroy(new CsvFileError(endlessRow(path, lastLine + 1, error.code)));
    const line = lineOf(error);
    // The parser meets one broken quote several times while it looks for the end of the quote's row.
    if (line !== lastBadLine) onBadRow({ line, reason: reasonOf(error, lastLine + 1) });
    lastBadLine = line;
    lastLine = line;
  };
  const parser = parse({
    bom: true,
    record_delimiter: LINE_ENDS,
    trim: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: MAX_ROW_CHARACTERS,
    skip_records_with_error: true,
    on_record: (record: string[], { lines }) => {
      lastLine = lines;
      return record;
    },
    on_skip: (error) => {
      if (error !== undefined) skip(error);
      return undefined;
    },
  });
  const text = requireUtf8(path);
  for (const stream of [input, text])
    stream.on("error", (error: Error) =>
      parser.destroy(error instanceof CsvFileError ? error : new CsvFileError(`${path} cannot be read: ${error.message}`)),
    );
  try {
    const records = input.pipe(text).pipe(parser) as AsyncIterable<{ record: string[]; info: { lines: number } }>;
    for await (const { record, info } of records) yield { record, line: info.lines };
  } catch (error) {
    if (error instanceof CsvFileError || !isCsvError(error)) throw error;
    throw new CsvFileError(`${path} is not CSV: ${error.message}`);
  } finally {
    input.destroy();
  }
}

function endlessRow(path: string, line: number, code: string): string {
  const limit = `within ${MAX_ROW_CHARACTERS} characters`;
  return code === "CSV_QUOTE_NOT_CLOSED"
    ? `${path}: the row that begins on line ${line} opens a quote that is never closed; nothing was imported`
    : `${path}: the row that begins on line ${line} does not end ${limit}, as if a quote were never closed; nothing was imported`;
}

function reasonOf(error: CsvError, firstLine: number): string {
  const rows = firstLine < lineOf(error) ? `lines ${firstLine} to ${lineOf(error)} are not read, as one quote joins them: ` : "";
  return `${rows}${error.message}`;
}

function requireUtf8(path: string): Transform {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const refused = () => new CsvFileError(`${path} is not UTF-8 text; save it as UTF-8 (from Latin-1: iconv -f latin1 -t utf-8)`);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        decoder.decode(chunk, { stream: true });
        done(null, chunk);
      } catch {
        done(refused());
      }
    },
    flush(done) {
      try {
        decoder.decode();
        done();
      } catch {
        done(refused());
      }
    },
  });
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("CSV_");
}

function lineOf(error: CsvError): number {
  const lines: unknown = "lines" in error ? error["lines"] : undefined;
  return typeof lines === "number" ? lines : 0;
}
