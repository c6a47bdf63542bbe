import { withinOrNothing } from "../../base/deadline.ts";
import { DomainError } from "../../base/errors.ts";
import {
  DEFAULT_REPORT_CSV,
  needsCurrencyColumn,
  reportCsvLine,
  reportCsvStart,
  type ReportCsvOptions,
  type ReportLine,
} from "../../domain/reports/report-csv.ts";
import { parseMonth } from "../../domain/reports/report-period.ts";
import type { Db } from "../../store/postgres/database.ts";
import { reportLinePages } from "../../store/report-pages.ts";
import { getReport, listReportCurrencies, listReportLines, listReportVersions, type ReportRecord } from "../../store/reports.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";
import { textStream } from "../http/text-stream.ts";
import { diffReportRoute, readReportCsvRoute, readReportRoute } from "./reports-schemas.ts";
import { showReport, showReportDiff } from "./show-report.ts";

const PROGRESS_DEADLINE_MS = 1_000;
const PROBLEMS = ["REPORT_NOT_FOUND", "INVALID_MONTH"] as const;

/** A month's report as CSV, as JSON with its versions, and what changed between two of them. */
export function addReadReportRoutes(routes: Routes, { db, starters }: Pick<ApiDeps, "db" | "starters">): void {
  const csv = routes.add(readReportCsvRoute, { access: ADMINS, problems: PROBLEMS }, async (context) => {
    const month = parseMonth(context.req.valid("param").month);
    const { version, delimiter, header, bom } = context.req.valid("query");
    const report = await getReport(db, { month, ...(version === undefined ? {} : { version }) });
    if (report?.status !== "completed") throw new DomainError("REPORT_NOT_FOUND");
    const options = {
      delimiter: delimiter ?? DEFAULT_REPORT_CSV.delimiter,
      header: header === "true",
      bom: bom === "true",
      withCurrency: needsCurrencyColumn((await listReportCurrencies(db, report)).map((currency) => ({ currency }))),
    };
    context.header("content-disposition", `attachment; filename="revenue-${month}-v${report.version}.csv"`);
    return context.body(textStream(csvOf(db, report, options)), 200, {
      "content-type": `text/csv; charset=utf-8; header=${options.header ? "present" : "absent"}`,
    });
  });

  routes.add(readReportRoute, { access: ADMINS, endings: { ".csv": csv }, problems: PROBLEMS }, async (context) => {
    const month = parseMonth(context.req.valid("param").month);
    const versions = await listReportVersions(db, { month });
    const report = chooseVersion(versions, context.req.valid("query").version);
    if (report === undefined) throw new DomainError("REPORT_NOT_FOUND");
    const lines = await listReportLines(db, report);
    const progress =
      report.status === "running" ? await withinOrNothing(starters.reportProgress(month, report.version), PROGRESS_DEADLINE_MS) : undefined;
    return context.json(showReport(report, lines, versions, progress?.stage), 200);
  });

  routes.add(diffReportRoute, { access: ADMINS, problems: PROBLEMS }, async (context) => {
    const month = parseMonth(context.req.valid("param").month);
    const { from, to } = context.req.valid("query");
    const [before, after] = await Promise.all([from, to].map((version) => completedLines(db, month, version)));
    return context.json(showReportDiff({ month, from, to, before: before ?? [], after: after ?? [] }), 200);
  });
}

async function* csvOf(db: Db, report: ReportRecord, options: ReportCsvOptions): AsyncGenerator<string> {
  yield reportCsvStart(options);
  for await (const lines of reportLinePages(db, report)) yield lines.map((line) => reportCsvLine(line, options)).join("");
}

/** The version that is asked for; without one the newest that is completed, and where none is, the newest. `versions` are newest first. */
function chooseVersion(versions: readonly ReportRecord[], wanted: number | undefined): ReportRecord | undefined {
  if (wanted !== undefined) return versions.find(({ version }) => version === wanted);
  return versions.find(({ status }) => status === "completed") ?? versions[0];
}

/** The lines of a completed version. Throws: REPORT_NOT_FOUND. */
async function completedLines(db: Db, month: string, version: number): Promise<ReportLine[]> {
  const report = await getReport(db, { month, version });
  if (report?.status !== "completed") throw new DomainError("REPORT_NOT_FOUND", `there is no completed version ${version} of ${month}`);
  return await listReportLines(db, report);
}
