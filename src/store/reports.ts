import { and, asc, desc, eq, sql } from "drizzle-orm";
import { reportLines, reports } from "../../drizzle/schema/reports.ts";
import { DomainError } from "../base/errors.ts";
import type { ReportLine } from "../domain/reports/report-csv.ts";
import { newReportVersion, type MonthPeriod } from "../domain/reports/report-period.ts";
import type { Db } from "./postgres/database.ts";
import type { Lane } from "./postgres/lane.ts";

export type ReportStatus = "running" | "completed" | "failed";

/** One version of a month's report. Watermark, hash, file and count are there when it is completed; `partial` says that the month still ran. */
export interface ReportRecord {
  readonly month: string;
  readonly version: number;
  readonly status: ReportStatus;
  readonly timeZone: string;
  readonly partial: boolean;
  readonly workflowId: string;
  readonly correlationId: string;
  readonly createdAt: Date;
  readonly watermark?: string;
  readonly sha256?: string;
  readonly fileName?: string;
  readonly lineCount?: number;
  readonly completedAt?: Date;
  readonly failureCode?: string;
  /** The version of Saldo that made it; undefined for a report of a version that did not say. */
  readonly codeVersion?: string;
}

/** Which report: the month is `yyyy-mm`, versions count from 1. */
export interface ReportId {
  readonly month: string;
  readonly version: number;
}

const OPEN_ATTEMPTS = 10;
const STREAM_GROUP = 500;

/**
 * Opens the next version of a month's report, or joins the one that is being made. `created` is false for one that was joined.
 * Safe to retry: the open version is joined. Two callers at once get the same version: its primary key decides.
 * Throws: INVALID_MONTH when the month has not begun by the database's clock, or by `atMs` where that is later (a test's clock);
 * UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function openReport(
  db: Db,
  input: { month: string; timeZone: string; correlationId: string; atMs?: number },
): Promise<ReportId & { created: boolean }> {
  const { month, timeZone, correlationId, atMs = 0 } = input;
  for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt += 1) {
    const [clock] = await db.execute<{ now_ms: string }>(sql`select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms`);
    const [latest] = await db.select().from(reports).where(eq(reports.month, month)).orderBy(desc(reports.version)).limit(1);
    const version = (latest?.version ?? 0) + 1;
    const opened = newReportVersion({ month, version, timeZone, nowMs: Math.max(Number(clock?.now_ms), atMs) });
    if (latest?.status === "running" && latest.timeZone === timeZone) return { month, version: latest.version, created: false };
    const created = await db
      .insert(reports)
      .values({ month, version, status: "running", timeZone, correlationId, ...opened })
      .onConflictDoNothing()
      .returning({ version: reports.version });
    if (created.length > 0) return { month, version, created: true };
  }
  throw new DomainError("UNAVAILABLE", `too many reports of ${month} are being opened at the same moment`);
}

/**
 * Fixes which postings are in a report: exactly those that this snapshot shows. A highest id would not do, as a smaller one can commit later.
 * Safe to retry: the first snapshot stays. Throws: REPORT_NOT_FOUND.
 */
export async function fixReportWatermark(db: Db, { month, version }: ReportId): Promise<string> {
  const [report] = await db
    .update(reports)
    .set({ watermark: sql`coalesce(${reports.watermark}, pg_current_snapshot()::text)` })
    .where(and(eq(reports.month, month), eq(reports.version, version)))
    .returning({ watermark: reports.watermark });
  if (report === undefined || report.watermark === null) throw new DomainError("REPORT_NOT_FOUND");
  return report.watermark;
}

const AGGREGATE = `
insert into report_lines (month, version, currency, service_id, service_name, revenue_minor, sale_count)
select $1, $2::int, p.currency, p.service_id, p.service_name, sum(p.revenue_minor), count(*) filter (where p.revenue_minor > 0)
  from postings p
 where p.service_id is not null and p.effective_at >= $3::timestamptz and p.effective_at < $4::timestamptz
   and pg_visible_in_snapshot(p.transaction_id, $5::pg_snapshot)
 group by p.currency, p.service_id, p.service_name
on conflict do nothing`;

/**
 * Adds up a month's revenue per currency and service, under the name the service had at the time of the sale, and keeps it as the
 * report's lines. `deadlineMs` bounds the statement and must not be above the lane's own.
 * Safe to retry: the same watermark gives the same lines, and lines that are there stay.
 */
export async function aggregateReportLines(
  lane: Lane,
  input: ReportId & { period: MonthPeriod; watermark: string; deadlineMs: number },
): Promise<void> {
  const { startsAtMs, endsAtMs } = input.period;
  await lane.values(
    AGGREGATE,
    [input.month, input.version, new Date(startsAtMs).toISOString(), new Date(endsAtMs).toISOString(), input.watermark],
    input.deadlineMs,
  );
}

const LINES = `
select currency, service_id, service_name, revenue_minor, sale_count from report_lines
 where month = $1 and version = $2::int order by currency collate "C", service_name collate "C", service_id`;

/** Hands out a report's lines in groups, by currency, service name and service id, however many there are. */
export async function streamReportLines(
  lane: Lane,
  input: ReportId & { deadlineMs: number },
  onLines: (lines: ReportLine[]) => Promise<void>,
): Promise<void> {
  await lane.stream(LINES, [input.month, input.version], STREAM_GROUP, input.deadlineMs, (rows) =>
    onLines(
      rows.map(([currency, serviceId, serviceName, revenueMinor, saleCount]) => ({
        currency: String(currency),
        serviceId: String(serviceId),
        serviceName: String(serviceName),
        revenueMinor: BigInt(String(revenueMinor)),
        saleCount: BigInt(String(saleCount)),
      })),
    ),
  );
}

/** The currencies that a report's lines are in, sorted. */
export async function listReportCurrencies(db: Db, { month, version }: ReportId): Promise<string[]> {
  const rows = await db
    .selectDistinct({ currency: reportLines.currency })
    .from(reportLines)
    .where(and(eq(reportLines.month, month), eq(reportLines.version, version)));
  return rows.map((row) => row.currency).toSorted();
}

/**
 * Completes a report: from then on it is visible and never changes.
 * Safe to retry: the same content again changes nothing. Throws: CONFLICT when the version ended otherwise; REPORT_NOT_FOUND.
 */
export async function completeReport(
  db: Db,
  input: ReportId & { sha256: string; fileName: string; lineCount: number; codeVersion?: string },
): Promise<void> {
  const { month, version, sha256, fileName, lineCount, codeVersion = null } = input;
  const completed = await db
    .update(reports)
    .set({ status: "completed", sha256, fileName, lineCount, codeVersion, completedAt: sql`clock_timestamp()` })
    .where(and(eq(reports.month, month), eq(reports.version, version), eq(reports.status, "running")))
    .returning({ version: reports.version });
  if (completed.length > 0) return;
  const report = await getReport(db, input);
  if (report === undefined) throw new DomainError("REPORT_NOT_FOUND");
  if (report.status !== "completed" || report.sha256 !== sha256)
    throw new DomainError("CONFLICT", `version ${version} of ${month} is ${report.status} already`);
}

/** Marks a report that is being made as failed with a code of the catalogue. Safe to retry: a report that ended stays as it is. */
export async function failReport(db: Db, input: ReportId & { code: string }): Promise<void> {
  await db
    .update(reports)
    .set({ status: "failed", failureCode: input.code })
    .where(and(eq(reports.month, input.month), eq(reports.version, input.version), eq(reports.status, "running")));
}

/** One version, or the newest completed one when no version is named; undefined when there is none. */
export async function getReport(db: Db, input: { month: string; version?: number }): Promise<ReportRecord | undefined> {
  const which = input.version === undefined ? eq(reports.status, "completed") : eq(reports.version, input.version);
  const [row] = await db
    .select()
    .from(reports)
    .where(and(eq(reports.month, input.month), which))
    .orderBy(desc(reports.version))
    .limit(1);
  return row === undefined ? undefined : toRecord(row);
}

/** Every version of a month, the newest first. */
export async function listReportVersions(db: Db, input: { month: string }): Promise<ReportRecord[]> {
  const rows = await db.select().from(reports).where(eq(reports.month, input.month)).orderBy(desc(reports.version));
  return rows.map(toRecord);
}

/** All lines of a report, by currency, service name and service id. Empty unless the report is completed. */
export async function listReportLines(db: Db, { month, version }: ReportId): Promise<ReportLine[]> {
  const completed = and(eq(reports.month, reportLines.month), eq(reports.version, reportLines.version), eq(reports.status, "completed"));
  const rows = await db
    .select({
      currency: reportLines.currency,
      serviceId: reportLines.serviceId,
      serviceName: reportLines.serviceName,
      revenueMinor: reportLines.revenueMinor,
      saleCount: reportLines.saleCount,
    })
    .from(reportLines)
    .innerJoin(reports, completed)
    .where(and(eq(reportLines.month, month), eq(reportLines.version, version)))
    .orderBy(sql`${reportLines.currency} collate "C"`, sql`${reportLines.serviceName} collate "C"`, asc(reportLines.serviceId));
  return rows;
}

/**
 * The months that have revenue, oldest first, as `yyyy-mm` in the zone. It looks up the first sale of each month in the index and
 * does not read the sales: as fast with millions of them.
 */
export async function listRevenueMonths(db: Db, { timeZone }: { timeZone: string }): Promise<string[]> {
  const rows = await db.execute<{ month: string }>(sql`
    with recursive firsts as (
      (select effective_at from postings where service_id is not null order by effective_at limit 1)
      union all
      select (select p.effective_at from postings p
               where p.service_id is not null
                 and p.effective_at >= (date_trunc('month', f.effective_at at time zone ${timeZone}) + interval '1 month') at time zone ${timeZone}
               order by p.effective_at limit 1)
        from firsts f where f.effective_at is not null
    )
    select to_char(effective_at at time zone ${timeZone}, 'YYYY-MM') as month from firsts where effective_at is not null order by effective_at`);
  return rows.map((row) => row.month);
}

function toRecord(row: typeof reports.$inferSelect): ReportRecord {
  const { watermark, sha256, fileName, lineCount, completedAt, failureCode, codeVersion } = row;
  return {
    month: row.month,
    version: row.version,
    status: row.status as ReportStatus,
    timeZone: row.timeZone,
    partial: row.partial,
    workflowId: row.workflowId,
    correlationId: row.correlationId,
    createdAt: row.createdAt,
    ...(watermark === null ? {} : { watermark }),
    ...(sha256 === null ? {} : { sha256 }),
    ...(fileName === null ? {} : { fileName }),
    ...(lineCount === null ? {} : { lineCount }),
    ...(completedAt === null ? {} : { completedAt }),
    ...(failureCode === null ? {} : { failureCode }),
    ...(codeVersion === null ? {} : { codeVersion }),
  };
}
