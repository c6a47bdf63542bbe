import { formatAmount } from "../../base/money.ts";

/** One service's revenue in one currency. Negative when more was refunded than sold in the month. */
export interface ReportLine {
  readonly currency: string;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly revenueMinor: bigint;
  readonly saleCount: bigint;
}

export interface ReportCsvOptions {
  readonly delimiter: ReportDelimiter;
  readonly header: boolean;
  /** Begins with a byte order mark, by which a spreadsheet knows UTF-8. Another program reads it as a part of the first name. */
  readonly bom?: boolean;
  /** Adds the currency as the third column. Needed as soon as a report has lines of more than one. */
  readonly withCurrency: boolean;
}

export const REPORT_DELIMITERS = [";", ",", "\t"] as const;
export type ReportDelimiter = (typeof REPORT_DELIMITERS)[number];

/** How a report is written when nothing else is asked for: `service name;revenue`, no header. */
export const DEFAULT_REPORT_CSV = { delimiter: ";", header: false } as const satisfies Partial<ReportCsvOptions>;

const BYTE_ORDER_MARK = "\uFEFF";
// The characters with which a spreadsheet begins a formula (CSV injection), their full-width forms included.
const FORMULA_START = /^[=+\-@\t\r\n＝＋－＠]/;

/** The text without NUL, and with a quote before it where a spreadsheet would run it as a formula. For text cells only: numbers stay numbers. */
export function neutraliseCell(text: string): string {
  const clean = text.replaceAll("\0", "");
  return FORMULA_START.test(clean) ? `'${clean}` : clean;
}

/** A field quoted by RFC 4180 where it must be: also where only another delimiter is in it, which a spreadsheet may take for one. */
export function quoteField(text: string): string {
  return /["\r\n,;\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The first line of a report with a header, its line feed included. */
export function reportCsvHeader({ delimiter, withCurrency }: Omit<ReportCsvOptions, "header" | "bom">): string {
  return `${["service_name", "revenue", ...(withCurrency ? ["currency"] : [])].join(delimiter)}\n`;
}

/** One line of a report as CSV, its line feed included: the service's name, the amount as a decimal, and the currency where asked for. */
export function reportCsvLine(line: ReportLine, { delimiter, withCurrency }: Omit<ReportCsvOptions, "header" | "bom">): string {
  const cells = [quoteField(neutraliseCell(line.serviceName)), formatAmount(line.revenueMinor, line.currency)];
  return `${(withCurrency ? [...cells, line.currency] : cells).join(delimiter)}\n`;
}

/** What stands before the lines of a report as CSV: a byte order mark and a header, each where asked for. */
export function reportCsvStart(options: ReportCsvOptions): string {
  return (options.bom === true ? BYTE_ORDER_MARK : "") + (options.header ? reportCsvHeader(options) : "");
}

/** True when the lines are of more than one currency, so that amounts alone would not say what they are. */
export function needsCurrencyColumn(lines: readonly Pick<ReportLine, "currency">[]): boolean {
  return new Set(lines.map((line) => line.currency)).size > 1;
}
