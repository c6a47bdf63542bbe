import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Transform } from "node:stream";
import { parse, type CsvError } from "csv-parse";
import { isCurrency } from "../../base/money.ts";
import { idProblem } from "../../contract/id-rule.ts";
import { startOfDayMs } from "../../domain/reports/report-period.ts";

/** One row of a file as it is produced: the event's own id, the key that keeps rows in order, and the event's JSON. */
export interface EventRow {
  readonly line: number;
  readonly eventId: string;
  /** The user, or the order. */
  readonly key: string;
  readonly json: string;
}

/** What the rows of a file are. */
export type RowKind = "purchase" | "loyalty" | "order";

/** A row that is no event, by the line it ends on. */
export interface BadRow {
  readonly line: number;
  readonly reason: string;
}

export interface EventCsvOptions {
  readonly path: string;
  readonly kind: RowKind;
  /** The name of the file's source: with the line it identifies a row that has no id of its own. */
  readonly source: string;
  /** For a row whose currency neither its own column nor the amount's names. */
  readonly currency: string;
  /** Where a date without a time is that day. */
  readonly timeZone: string;
  readonly onBadRow: (row: BadRow) => void;
}

/** The file as a whole cannot be imported. */
export class CsvFileError extends Error {
  override readonly name = "CsvFileError";
}

type Field =
  | "user"
  | "date"
  | "amount"
  | "currency"
  | "service"
  | "order"
  | "event"
  | "method"
  | "username"
  | "type"
  | "quantity"
  | "comment";
type Columns = {
  /** Where each field's column is, or `ABSENT`. */
  readonly places: Readonly<Record<Field, number>>;
  readonly count: number;
  /** The currency that the amount column's own name says. */
  readonly amountCurrency: string | undefined;
};

const COLUMN_NAMES: Readonly<Record<Exclude<Field, "amount">, readonly string[]>> = {
  user: ["user_id", "customer_id"],
  date: ["date", "transaction_date", "occurred_at"],
  currency: ["currency"],
  service: ["service_id", "service"],
  order: ["order_id"],
  event: ["event_id", "transaction_id"],
  method: ["payment_method"],
  username: ["username"],
  type: ["type"],
  quantity: ["quantity"],
  comment: ["comment"],
};
/** Without these columns a file is none of its kind. */
const NEEDED: Readonly<Record<RowKind, readonly Field[]>> = {
  purchase: ["user", "date", "amount"],
  loyalty: ["user", "date", "amount", "type"],
  order: ["order", "user", "service", "amount"],
};
const ABSENT = -1;
const MAX_ROW_CHARACTERS = 100_000;
/** Longer names of sources, and those that are no part of an id, stand in event ids by their hash. */
const MAX_SOURCE_LENGTH = 100;
const MAX_WORD_SHOWN = 40;

/**
 * Reads the events of a CSV file as a stream: memory does not grow with it. A row that is no event (no user, no date
 * that can be read, another number of columns, a quote in its middle) goes to `onBadRow` and the rest goes on. Amounts are not
 * judged here: that is the ledger's intake.
 * Throws: CsvFileError as `checkEventCsv`.
 */
export async function* readEventCsv(options: EventCsvOptions): AsyncGenerator<EventRow> {
  const toRow = createRowReader(options);
  let columns: Columns | undefined;
  for await (const { record, line } of readRecords(options.path, options.onBadRow)) {
    if (columns === undefined) {
      columns = readHeader(record, options.kind);
      continue;
    }
    const row = toRow(columns, record, line);
    if ("reason" in row) options.onBadRow(row);
    else yield row;
  }
}

/**
 * Reads the whole file once and answers how many rows it has, and the names of the columns that nothing is read of, so that
 * nothing is produced of one that is broken as a whole.
 * Throws: CsvFileError when it cannot be read, is not UTF-8, has a quote that is never closed or a row without an end, has
 * no header with the columns that its kind needs, names one of its columns twice, or gives points a currency.
 */
export async function checkEventCsv(path: string, kind: RowKind): Promise<{ rows: number; unreadColumns: readonly string[] }> {
  let records = 0;
  let badRows = 0;
  let unreadColumns: readonly string[] = [];
  for await (const { record } of readRecords(path, () => (badRows += 1))) {
    if (records === 0) {
      const columns = readHeader(record, kind);
      unreadColumns = record.filter((_name, place) => !Object.values(columns.places).includes(place));
    }
    records += 1;
  }
  if (records === 0) throw new CsvFileError(`${path} has no header`);
  return { rows: records - 1 + badRows, unreadColumns };
}

async function* readRecords(path: string, onBadRow: (row: BadRow) => void): AsyncGenerator<{ record: string[]; line: number }> {
  const input = createReadStream(path);
  let lastLine = 0;
  let lastBadLine = 0;
  const skip = (error: CsvError) => {
    if (ENDLESS.has(error.code)) parser.destroy(new CsvFileError(endlessRow(path, lastLine + 1, error.code)));
    const line = lineOf(error);
    // One broken quote is met more than once while the parser looks for the end of its row.
    if (line !== lastBadLine) onBadRow({ line, reason: reasonOf(error, lastLine + 1) });
    lastBadLine = line;
    lastLine = line;
  };
  const parser = parse({
    bom: true,
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

/** After one of these the parser finds no further row: what follows would be lost without a word. */
const ENDLESS = new Set(["CSV_QUOTE_NOT_CLOSED", "CSV_MAX_RECORD_SIZE"]);

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

/** The id of a row that has none of its own: the same row of the same source is the same event, whenever it is imported. */
export function rowEventId(source: string, line: number): string {
  const isPlain = idProblem(source, MAX_SOURCE_LENGTH) === undefined;
  const name = isPlain ? source : createHash("sha256").update(source).digest("hex");
  return `import/${name}/${line}`;
}

function createRowReader(options: EventCsvOptions): (columns: Columns, record: readonly string[], line: number) => EventRow | BadRow {
  const dayStarts = new Map<string, string | undefined>();
  const dateOf = (text: string): string | undefined => {
    if (!dayStarts.has(text)) {
      if (dayStarts.size > 10_000) dayStarts.clear();
      dayStarts.set(text, readDate(text, options.timeZone));
    }
    return dayStarts.get(text);
  };
  return (columns, record, line) => {
    if (record.length !== columns.count) return { line, reason: `the row has ${record.length} columns, the header has ${columns.count}` };
    const cell = (field: Field) => record[columns.places[field]] ?? "";
    const userId = cell("user");
    if (userId === "") return { line, reason: "the row names no user" };
    const moment = columns.places.date === ABSENT ? undefined : dateOf(cell("date"));
    if (moment === undefined && NEEDED[options.kind].includes("date"))
      return { line, reason: "the date is neither yyyy-mm-dd nor RFC 3339" };
    const eventId = cell("event") === "" ? rowEventId(options.source, line) : cell("event");
    const key = options.kind === "order" ? cell("order") : userId;
    if (key === "") return { line, reason: "the row names no order" };
    const currency = currencyOf(cell("currency"), columns.amountCurrency, options.currency);
    if (typeof currency !== "string") return { line, ...currency };
    return { line, eventId, key, json: JSON.stringify(toEvent(options.kind, { cell, currency, eventId, moment })) };
  };
}

function currencyOf(cell: string, amountCurrency: string | undefined, defaultCurrency: string): string | { reason: string } {
  const currency = cell === "" ? (amountCurrency ?? defaultCurrency) : cell.toUpperCase();
  if (!isCurrency(currency)) return { reason: `the currency ${currency.slice(0, MAX_WORD_SHOWN)} is not known` };
  return amountCurrency !== undefined && currency !== amountCurrency
    ? { reason: `the row says ${currency}, but its amount stands in a column of ${amountCurrency}` }
    : currency;
}

interface RowParts {
  readonly cell: (field: Field) => string;
  readonly currency: string;
  readonly eventId: string;
  readonly moment: string | undefined;
}

function toEvent(kind: RowKind, { cell, currency, eventId, moment }: RowParts): Record<string, unknown> {
  const given = (name: string, field: Field) => (cell(field) === "" ? {} : { [name]: cell(field) });
  const user = { user_id: cell("user") };
  switch (kind) {
    case "purchase":
      return {
        event_id: eventId,
        ...user,
        username: cell("username") === "" ? cell("user") : cell("username"),
        amount: cell("amount"),
        currency,
        payment_method: cell("method") === "" ? "credit_card" : cell("method"),
        transaction_date: moment,
        ...given("service_id", "service"),
        ...given("order_id", "order"),
      };
    case "loyalty":
      return {
        transaction_id: eventId,
        ...user,
        type: cell("type"),
        amount: cell("amount"),
        occurred_at: moment,
        ...given("comment", "comment"),
      };
    case "order": {
      const quantity = cell("quantity") === "" ? {} : { quantity: Number(cell("quantity")) };
      return {
        event_id: eventId,
        order_id: cell("order"),
        ...user,
        currency,
        items: [{ service_id: cell("service"), amount: cell("amount"), ...quantity }],
        ...given("comment", "comment"),
      };
    }
  }
}

function readHeader(names: readonly string[], kind: RowKind): Columns {
  const header = names.map((name) => name.toLowerCase());
  const find = (candidates: readonly string[]) => findOnly(header, (name) => candidates.includes(name));
  const amount = findOnly(header, (name) => name === "amount" || /^amount_[a-z]{3}$/.test(name));
  const places = {
    user: find(COLUMN_NAMES.user),
    date: find(COLUMN_NAMES.date),
    amount,
    currency: find(COLUMN_NAMES.currency),
    service: find(COLUMN_NAMES.service),
    order: find(COLUMN_NAMES.order),
    event: find(COLUMN_NAMES.event),
    method: find(COLUMN_NAMES.method),
    username: find(COLUMN_NAMES.username),
    type: find(COLUMN_NAMES.type),
    quantity: find(COLUMN_NAMES.quantity),
    comment: find(COLUMN_NAMES.comment),
  };
  const missing = NEEDED[kind].filter((field) => places[field] === ABSENT);
  if (missing.length > 0) {
    const wanted = missing.map((field) => (field === "amount" ? "amount or amount_<currency>" : COLUMN_NAMES[field].join(" or ")));
    throw new CsvFileError(`the header has no column ${wanted.join(", and none ")}`);
  }
  const amountCurrency = header[amount]?.split("_")[1]?.toUpperCase();
  if (kind === "loyalty" && (places.currency !== ABSENT || amountCurrency !== undefined))
    throw new CsvFileError(
      `the header has ${header[places.currency] ?? header[amount] ?? ""}, but loyalty amounts are points, of no currency`,
    );
  return { places, count: names.length, amountCurrency };
}

function findOnly(header: readonly string[], isMeant: (name: string) => boolean): number {
  const meant = header.filter(isMeant);
  if (meant.length > 1) throw new CsvFileError(`the header has ${meant.join(" and ")}, which mean the same: leave one`);
  return header.findIndex(isMeant);
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

function readDate(text: string, timeZone: string): string | undefined {
  if (DAY.test(text)) return isCalendarDay(text) ? new Date(startOfDayMs(text, timeZone)).toISOString() : undefined;
  const day = RFC_3339.exec(text)?.[1];
  const instantMs = day !== undefined && isCalendarDay(day) ? Date.parse(text.replace(" ", "T").toUpperCase()) : Number.NaN;
  return Number.isNaN(instantMs) ? undefined : new Date(instantMs).toISOString();
}

// Date.parse takes 31 February for 3 March.
function isCalendarDay(day: string): boolean {
  const parsed = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(day);
}

function isCsvError(error: unknown): error is CsvError {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("CSV_");
}

function lineOf(error: CsvError): number {
  const lines: unknown = "lines" in error ? error["lines"] : undefined;
  return typeof lines === "number" ? lines : 0;
}
