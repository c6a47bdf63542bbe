import { sql } from "drizzle-orm";
import type { ReportLine } from "../domain/reports/report-csv.ts";
import type { Db } from "./postgres/database.ts";
import type { ReportId } from "./reports.ts";

/** Each page sorts all lines of the report, so few large pages are read and not many small ones. */
const PAGE_LINES = 20_000;

type LineRow = {
  readonly currency: string;
  readonly service_id: string;
  readonly service_name: string;
  readonly minor: string;
  readonly sales: string;
};

/**
 * The lines of a completed report by currency, service name and service id, page by page, so that a report of any size takes the memory of
 * one page. A completed report never changes, so the pages fit together.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function* reportLinePages(db: Db, { month, version }: ReportId, pageLines = PAGE_LINES): AsyncGenerator<ReportLine[]> {
  let last: LineRow | undefined;
  for (;;) {
    const after =
      last === undefined
        ? sql`true`
        : sql`(currency collate "C", service_name collate "C", service_id) > (${last.currency}, ${last.service_name}, ${last.service_id})`;
    const rows: LineRow[] = await db.execute<LineRow>(sql`
      select currency, service_id, service_name, revenue_minor::text as minor, sale_count::text as sales
        from report_lines where month = ${month} and version = ${version} and ${after}
       order by currency collate "C", service_name collate "C", service_id limit ${pageLines}`);
    if (rows.length > 0) yield rows.map(toLine);
    if (rows.length < pageLines) return;
    last = rows.at(-1);
  }
}

/**
 * The revenue of a completed report in one currency by service name, in byte order, page by page; services of one name are one sum.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function* reportNamePages(
  db: Db,
  { month, version, currency }: ReportId & { readonly currency: string },
  pageLines = PAGE_LINES,
): AsyncGenerator<{ readonly serviceName: string; readonly revenueMinor: bigint }[]> {
  let last: string | undefined;
  for (;;) {
    const after = last === undefined ? sql`true` : sql`service_name collate "C" > ${last}`;
    const rows: { name: string; minor: string }[] = await db.execute<{ name: string; minor: string }>(sql`
      select service_name as name, sum(revenue_minor)::text as minor
        from report_lines where month = ${month} and version = ${version} and currency = ${currency} and ${after}
       group by service_name order by service_name collate "C" limit ${pageLines}`);
    if (rows.length > 0) yield rows.map(({ name, minor }) => ({ serviceName: name, revenueMinor: BigInt(minor) }));
    if (rows.length < pageLines) return;
    last = rows.at(-1)?.name;
  }
}

function toLine({ currency, service_id: serviceId, service_name: serviceName, minor, sales }: LineRow): ReportLine {
  return { currency, serviceId, serviceName, revenueMinor: BigInt(minor), saleCount: BigInt(sales) };
}
