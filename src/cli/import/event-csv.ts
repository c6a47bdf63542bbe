import { createHash } from "node:crypto";
import { isCurrency } from "../../base/money.ts";
import { idProblem } from "../../contract/id-rule.ts";
import { ABSENT, NEEDED_FIELDS, readHeader, type Columns, type Field, type RowKind } from "./csv-columns.ts";
import { createDateReader } from "./csv-date.ts";
import { CsvFileError, readCsvRows, type BadRow } from "./csv-rows.ts";

/** One row of a file as it is produced: the event's own id, the key that keeps rows in order, and the event's JSON. */
export interface EventRow {
  readonly line: number;
  readonly eventId: string;
  /** The id of the user; for orders that of the order. */
  readonly key: string;
  readonly json: string;
}

export interface EventCsvOptions {
  readonly path: string;
  readonly kind: RowKind;
  /** The name of the file's source: with the line it identifies a row that has no id of its own. */
  readonly source: string;
  /** The currency of a row where neither a column of its own nor the name of the amount's column says one. */
  readonly currency: string;
  /** The zone in which a date without a time begins. */
  readonly timeZone: string;
  readonly onBadRow: (row: BadRow) => void;
}

/** Longer names of sources, and names that may not be part of an id, stand in event ids by their hash. */
const MAX_SOURCE_LENGTH = 100;
const MAX_WORD_SHOWN = 40;

/**
 * Reads the events of a CSV file as a stream: memory does not grow with the file. A row that is no event (no user, no date
 * that can be read, another number of columns, a quote in its middle) goes to `onBadRow`, and reading goes on after it. Amounts are not
 * judged here: that is the ledger's intake.
 * Throws: CsvFileError as `checkEventCsv`.
 */
export async function* readEventCsv(options: EventCsvOptions): AsyncGenerator<EventRow> {
  const toEventRow = createRowReader(options);
  let columns: Columns | undefined;
  for await (const { record, line } of readCsvRows(options.path, options.onBadRow)) {
    if (columns === undefined) {
      columns = readHeader(record, options.kind);
      continue;
    }
    const row = toEventRow(columns, record, line);
    if ("reason" in row) options.onBadRow(row);
    else yield row;
  }
}

/**
 * Reads the whole file once, so that nothing is produced of a file that is broken as a whole. Returns how many rows it has, and the names
 * of the columns that the import does not read.
 * Throws: CsvFileError when it cannot be read, is not UTF-8, has a quote that is never closed or a row without an end, has
 * no header with the columns that its kind needs, names one of its columns twice, or gives points a currency.
 */
export async function checkEventCsv(path: string, kind: RowKind): Promise<{ rows: number; unreadColumns: readonly string[] }> {
  let records = 0;
  let badRows = 0;
  let unreadColumns: readonly string[] = [];
  for await (const { record } of readCsvRows(path, () => (badRows += 1))) {
    if (records === 0) {
      const columns = readHeader(record, kind);
      unreadColumns = record.filter((_name, place) => !Object.values(columns.places).includes(place));
    }
    records += 1;
  }
  if (records === 0) throw new CsvFileError(`${path} has no header`);
  return { rows: records - 1 + badRows, unreadColumns };
}

/** The id of a row that has none of its own: the same row of the same source is the same event, whenever it is imported. */
export function rowEventId(source: string, line: number): string {
  const isPlain = idProblem(source, MAX_SOURCE_LENGTH) === undefined;
  const name = isPlain ? source : createHash("sha256").update(source).digest("hex");
  return `import/${name}/${line}`;
}

function createRowReader(options: EventCsvOptions): (columns: Columns, record: readonly string[], line: number) => EventRow | BadRow {
  const dateOf = createDateReader(options.timeZone);
  return (columns, record, line) => {
    if (record.length !== columns.count) return { line, reason: `the row has ${record.length} columns, the header has ${columns.count}` };
    const cell = (field: Field) => record[columns.places[field]] ?? "";
    const userId = cell("user");
    if (userId === "") return { line, reason: "the row names no user" };
    const moment = columns.places.date === ABSENT ? undefined : dateOf(cell("date"));
    if (moment === undefined && NEEDED_FIELDS[options.kind].includes("date"))
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
