import { isCurrency } from "../../base/money.ts";
import { exactWholeNumber } from "../../base/raw-json.ts";
import { ABSENT, NEEDED_FIELDS, readHeader, type Columns, type Field, type RowKind } from "./csv-columns.ts";
import { createDateReader } from "./csv-date.ts";
import { readCsvRows, type BadRow } from "./csv-rows.ts";
import { createRowChain, rowEventId } from "./row-chain.ts";

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
  /** The name of the file's source: with the rows up to it, it identifies a row that has no id of its own. */
  readonly source: string;
  /** The currency of a row where neither a column of its own nor the name of the amount's column says one. */
  readonly currency: string;
  /** The zone in which a date without a time begins. */
  readonly timeZone: string;
  readonly onBadRow: (row: BadRow) => void;
}

const MAX_WORD_SHOWN = 40;

/**
 * Reads the events of a CSV file as a stream: memory does not grow with the file. A row that is no event (no user, no date
 * that can be read, a quantity that is no whole number, another number of columns, a quote in its middle) goes to `onBadRow`, and reading
 * goes on after it. Amounts are not judged here: that is the ledger's intake.
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

function createRowReader(options: EventCsvOptions): (columns: Columns, record: readonly string[], line: number) => EventRow | BadRow {
  const dateOf = createDateReader(options.timeZone);
  const chain = createRowChain();
  return (columns, record, line) => {
    const rowHash = chain.next(columns, record);
    if (record.length !== columns.count) return { line, reason: `the row has ${record.length} columns, the header has ${columns.count}` };
    const cell = (field: Field) => record[columns.places[field]] ?? "";
    const userId = cell("user");
    if (userId === "") return { line, reason: "the row names no user" };
    const moment = columns.places.date === ABSENT ? undefined : dateOf(cell("date"));
    if (moment === undefined && NEEDED_FIELDS[options.kind].includes("date"))
      return { line, reason: "the date is neither yyyy-mm-dd nor RFC 3339 such as 2026-11-21T10:00:00Z" };
    if (options.kind === "order" && cell("quantity") !== "" && exactWholeNumber(cell("quantity")) === undefined)
      return { line, reason: `the quantity ${cell("quantity").slice(0, MAX_WORD_SHOWN)} is not a whole number such as 2` };
    const eventId = rowHash === undefined ? cell("event") : rowEventId(options.source, rowHash);
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
