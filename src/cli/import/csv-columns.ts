import { CsvFileError } from "./csv-rows.ts";

/** The kind of a file's rows: what events they become. */
export type RowKind = "purchase" | "loyalty" | "order";

export type Field =
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

export interface Columns {
  /** The place of each field's column, or `ABSENT`. */
  readonly places: Readonly<Record<Field, number>>;
  readonly count: number;
  /** The currency that the name of the amount's column says, such as USD of `amount_usd`. */
  readonly amountCurrency: string | undefined;
}

/** The place of a field that has no column. */
export const ABSENT = -1;

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

/** The fields without which a file is not of a kind. */
export const NEEDED_FIELDS: Readonly<Record<RowKind, readonly Field[]>> = {
  purchase: ["user", "date", "amount"],
  loyalty: ["user", "date", "amount", "type"],
  order: ["order", "user", "service", "amount"],
};

/**
 * The columns that a file's header names, in upper or lower case.
 * Throws: CsvFileError when the columns that its kind needs are not all there, two columns mean the same, or points have a currency.
 */
export function readHeader(names: readonly string[], kind: RowKind): Columns {
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
  const missing = NEEDED_FIELDS[kind].filter((field) => places[field] === ABSENT);
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
