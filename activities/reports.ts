import { Context } from "@temporalio/activity";
import { DomainError, messageOf } from "../src/base/errors.ts";
import { needsCurrencyColumn, reportCsvLine, DEFAULT_REPORT_CSV } from "../src/domain/reports/report-csv.ts";
import { monthOf, monthPeriod, previousMonth } from "../src/domain/reports/report-period.ts";
import type { Db } from "../src/store/postgres/database.ts";
import type { Lane } from "../src/store/postgres/lane.ts";
import {
  aggregateReportLines,
  completeReport,
  failReport,
  fixReportWatermark,
  listReportCurrencies,
  openReport,
  streamReportLines,
  type ReportId,
} from "../src/store/reports.ts";
import { writeWholeFile } from "./report-file.ts";

/** A month of five million sales adds up in seconds; this leaves room for a database a hundred times slower. */
const AGGREGATE_DEADLINE_MS = 600_000;
const HEARTBEAT_MS = 2_000;

export interface ReportActivityDeps {
  readonly db: Db;
  /** Opens a connection of its own whose statements may take `deadlineMs`. */
  readonly openLane: (name: string, deadlineMs?: number) => Lane;
  /** The folder the CSV files are kept in. */
  readonly reportsDir: string;
  /** The version of Saldo, which a report names. */
  readonly codeVersion?: string;
}

/** A report with what fixes its content: the month in its zone, and the snapshot of the postings. */
export interface ReportContent extends ReportId {
  readonly timeZone: string;
  readonly watermark: string;
}

/** The written file of a version: with it the version is final. */
export interface WrittenReport {
  readonly fileName: string;
  readonly sha256: string;
  readonly lineCount: number;
}

/** The steps of a month's revenue report. */
export function createReportActivities(deps: ReportActivityDeps) {
  return {
    /**
     * Opens the next version of a month's report, or joins the version in the making. The month is `month`, or else the one before that of
     * `closedAt`; by a test's clock it is then over, whatever the real clock shows.
     * Safe to retry: the version that is open is joined. Throws: INVALID_MONTH.
     */
    openMonthReport: async (input: {
      month?: string;
      closedAt: string;
      timeZone: string;
      correlationId: string;
      isTestClock?: boolean;
    }): Promise<ReportId> => {
      const { timeZone, correlationId } = input;
      const closedAtMs = Date.parse(input.closedAt);
      const month = input.month ?? previousMonth(monthOf(closedAtMs, timeZone));
      const atMs = input.isTestClock === true ? closedAtMs : undefined;
      const { version } = await openReport(deps.db, { month, timeZone, correlationId, ...(atMs === undefined ? {} : { atMs }) });
      return { month, version };
    },

    /** Fixes which postings are in the report. Safe to retry: the first answer stays. Throws: REPORT_NOT_FOUND. */
    fixWatermark: (report: ReportId): Promise<string> => fixReportWatermark(deps.db, report),

    /**
     * Adds up the month and writes its CSV file, whole or not at all. The report is not shown before `publishReport`.
     * Safe to retry: the watermark fixes the content, so the same bytes are written again. Throws: UNAVAILABLE while the file cannot be written.
     */
    writeReport: (content: ReportContent): Promise<WrittenReport> => withHeartbeat(() => writeReport(deps, content)),

    /** Makes the report final and visible. Safe to retry: the same content again changes nothing. Throws: CONFLICT. */
    publishReport: (report: ReportId & WrittenReport): Promise<void> =>
      completeReport(deps.db, { ...report, ...(deps.codeVersion === undefined ? {} : { codeVersion: deps.codeVersion }) }),

    /** Gives the report up under a code. Safe to retry: a report that ended stays as it is. */
    abandonReport: (report: ReportId & { code: string }): Promise<void> => failReport(deps.db, report),
  };
}

async function writeReport(deps: ReportActivityDeps, { month, version, timeZone, watermark }: ReportContent): Promise<WrittenReport> {
  const lane = deps.openLane(`report ${month}/${version}`, AGGREGATE_DEADLINE_MS);
  const report = { month, version, deadlineMs: AGGREGATE_DEADLINE_MS };
  const fileName = `revenue-${month}-v${version}.csv`;
  let lineCount = 0;
  try {
    await aggregateReportLines(lane, { ...report, period: monthPeriod(month, timeZone), watermark });
    const currencies = await listReportCurrencies(deps.db, report);
    const format = { ...DEFAULT_REPORT_CSV, withCurrency: needsCurrencyColumn(currencies.map((currency) => ({ currency }))) };
    const { sha256 } = await writeFile({
      directory: deps.reportsDir,
      fileName,
      write: (append) =>
        streamReportLines(lane, report, async (lines) => {
          lineCount += lines.length;
          await append(lines.map((line) => reportCsvLine(line, format)).join(""));
        }),
    });
    return { fileName, sha256, lineCount };
  } finally {
    await lane.close();
  }
}

// Without heartbeats a worker that died would be noticed only when the step's whole time has passed.
async function withHeartbeat<Result>(work: () => Promise<Result>): Promise<Result> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

// An operator heals a full disk or a missing folder; as an outage the step is retried, and the report then goes on by itself.
async function writeFile(options: Parameters<typeof writeWholeFile>[0]): Promise<{ sha256: string }> {
  try {
    return await writeWholeFile(options);
  } catch (error) {
    if (error instanceof Error && "syscall" in error)
      throw new DomainError("UNAVAILABLE", `the report's file cannot be written: ${messageOf(error)}`, {}, error);
    throw error;
  }
}
