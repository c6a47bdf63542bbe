import { withinOrNothing } from "../../base/deadline.ts";
import { DomainError } from "../../base/errors.ts";
import { DEFAULT_REPORT_CSV, needsCurrencyColumn, renderReportCsv, type ReportLine } from "../../domain/reports/report-csv.ts";
import { parseMonth } from "../../domain/reports/report-period.ts";
import type { Db } from "../../store/postgres/database.ts";
import { getReport, listReportLines, listReportVersions, listRevenueMonths, openReport } from "../../store/reports.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";
import { diffReportRoute, listReportMonthsRoute, orderReportRoute, readReportCsvRoute, readReportRoute } from "./reports-schemas.ts";
import { reportLinks, showReport, showReportDiff, showVersion } from "./show-report.ts";

const PROGRESS_DEADLINE_MS = 1_000;

/** Revenue reports: versions that never change, made by a workflow each. */
export function addReportRoutes(routes: Routes, { db, starters, settings }: ApiDeps): void {
  const { reportTimeZone: timeZone } = settings;

  routes.add(
    orderReportRoute,
    {
      access: ADMINS,
      idempotency: { route: "reports", required: false, memory: "answer", keepAccepted: true },
      problems: ["INVALID_MONTH"],
    },
    async (context) => {
      const month = parseMonth(context.req.valid("json").month);
      const correlationId = context.get("correlationId");
      const { version } = await openReport(db, { month, timeZone, correlationId });
      // Also for a version that was joined: its maker may have died between opening it and starting its workflow.
      await starters.startReport({ month, version, timeZone, correlationId });
      const links = reportLinks(month, version);
      context.header("location", links.self);
      return context.json({ month, version, status: "running" as const, links }, 202);
    },
  );

  routes.add(listReportMonthsRoute, { access: ADMINS }, async (context) => {
    const months = await listRevenueMonths(db, { timeZone });
    const newest = await Promise.all(months.map(async (month) => (await listReportVersions(db, { month }))[0]));
    return context.json(
      {
        months: months.map((month, place) => {
          const report = newest[place];
          return report === undefined ? { month } : { month, newest: showVersion(report) };
        }),
      },
      200,
    );
  });

  const csv = routes.add(readReportCsvRoute, { access: ADMINS, problems: ["REPORT_NOT_FOUND", "INVALID_MONTH"] }, async (context) => {
    const month = parseMonth(context.req.valid("param").month);
    const { version, delimiter, header } = context.req.valid("query");
    const report = await getReport(db, { month, ...(version === undefined ? {} : { version }) });
    if (report?.status !== "completed") throw new DomainError("REPORT_NOT_FOUND");
    const lines = await listReportLines(db, report);
    const options = {
      delimiter: delimiter ?? DEFAULT_REPORT_CSV.delimiter,
      header: header === "true",
      withCurrency: needsCurrencyColumn(lines),
    };
    context.header("content-disposition", `attachment; filename="revenue-${month}-v${report.version}.csv"`);
    return context.body(renderReportCsv(lines, options), 200, {
      "content-type": `text/csv; charset=utf-8; header=${options.header ? "present" : "absent"}`,
    });
  });

  routes.add(
    readReportRoute,
    { access: ADMINS, endings: { ".csv": csv }, problems: ["REPORT_NOT_FOUND", "INVALID_MONTH"] },
    async (context) => {
      const month = parseMonth(context.req.valid("param").month);
      const { version } = context.req.valid("query");
      const versions = await listReportVersions(db, { month });
      const report =
        version === undefined
          ? (versions.find(({ status }) => status === "completed") ?? versions[0])
          : versions.find((one) => one.version === version);
      if (report === undefined) throw new DomainError("REPORT_NOT_FOUND");
      const lines = await listReportLines(db, report);
      const progress =
        report.status === "running"
          ? await withinOrNothing(starters.reportProgress(month, report.version), PROGRESS_DEADLINE_MS)
          : undefined;
      return context.json(showReport(report, lines, versions, progress?.stage), 200);
    },
  );

  routes.add(diffReportRoute, { access: ADMINS, problems: ["REPORT_NOT_FOUND", "INVALID_MONTH"] }, async (context) => {
    const month = parseMonth(context.req.valid("param").month);
    const { from, to } = context.req.valid("query");
    const [before, after] = await Promise.all([from, to].map((version) => completedLines(db, month, version)));
    return context.json(showReportDiff({ month, from, to, before: before ?? [], after: after ?? [] }), 200);
  });
}

/** The lines of a completed version. Throws: REPORT_NOT_FOUND. */
async function completedLines(db: Db, month: string, version: number): Promise<ReportLine[]> {
  const report = await getReport(db, { month, version });
  if (report?.status !== "completed") throw new DomainError("REPORT_NOT_FOUND", `version ${version} of ${month} is not there`);
  return await listReportLines(db, report);
}
