import { createRoute, z } from "@hono/zod-openapi";
import { DEFAULT_REPORT_CSV, needsCurrencyColumn, renderReportCsv } from "../../domain/report-csv.ts";
import { parseMonth } from "../../domain/report-period.ts";
import { DomainError } from "../../errors.ts";
import { getReport, listReportLines, listReportVersions, listRevenueMonths, openReport } from "../../store/reports.ts";
import { ADMINS } from "../access.ts";
import { addRoute } from "../add-route.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { quickly } from "../quickly.ts";
import {
  reportAcceptedSchema,
  reportBodySchema,
  reportCsvQuerySchema,
  reportMonthsSchema,
  reportParamsSchema,
  reportQuerySchema,
  reportSchema,
} from "../schemas/reports.ts";
import { reportLinks, showReport, showVersion } from "../show-report.ts";

const orderRoute = createRoute({
  method: "post",
  path: "/api/v1/reports/revenue",
  operationId: "orderRevenueReport",
  tags: ["reports"],
  summary: "Make a new version of a month's revenue report",
  description: "A version that is being made is joined. A version never changes once it is completed.",
  request: { body: { required: true, content: { "application/json": { schema: reportBodySchema } } } },
  responses: { 202: { description: "It is being made.", content: { "application/json": { schema: reportAcceptedSchema } } } },
});

const monthsRoute = createRoute({
  method: "get",
  path: "/api/v1/reports/revenue",
  operationId: "listRevenueMonths",
  tags: ["reports"],
  summary: "The months that have revenue",
  responses: { 200: { description: "The months.", content: { "application/json": { schema: reportMonthsSchema } } } },
});

const csvRoute = createRoute({
  method: "get",
  path: "/api/v1/reports/revenue/{month}.csv",
  operationId: "getRevenueReportCsv",
  tags: ["reports"],
  summary: "A month's revenue per service as CSV",
  description:
    "`service name;revenue`, no header, unless asked otherwise. A report with more than one currency has the currency as a third column.",
  request: { params: reportParamsSchema, query: reportCsvQuerySchema },
  responses: { 200: { description: "The file.", content: { "text/csv": { schema: z.string() } } } },
});

const readRoute = createRoute({
  method: "get",
  path: "/api/v1/reports/revenue/{month}",
  operationId: "getRevenueReport",
  tags: ["reports"],
  summary: "A month's revenue per service, its versions, and its progress while it is being made",
  request: { params: reportParamsSchema, query: reportQuerySchema },
  responses: { 200: { description: "The report.", content: { "application/json": { schema: reportSchema } } } },
});

const OUTAGES = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
const PROGRESS_DEADLINE_MS = 1_000;

/** Revenue reports: versions that never change, made by a workflow each. */
export function addReportRoutes(api: Api, { db, starters, settings }: ApiDeps): void {
  const { maxBodyBytes, reportTimeZone: timeZone } = settings;

  addRoute(api, orderRoute, { access: ADMINS, maxBodyBytes, problems: ["INVALID_MONTH", ...OUTAGES] }, async (context) => {
    const month = parseMonth(context.req.valid("json").month);
    const correlationId = context.get("correlationId");
    const { version } = await openReport(db, { month, timeZone, correlationId });
    // Also for a version that was joined: its maker may have died between opening it and starting its workflow.
    await starters.startReport({ month, version, timeZone, correlationId });
    const links = reportLinks(month, version);
    context.header("location", links.self);
    return context.json({ month, version, status: "running" as const, links }, 202);
  });

  addRoute(api, monthsRoute, { access: ADMINS, maxBodyBytes, problems: OUTAGES }, async (context) => {
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

  const csv = addRoute(api, csvRoute, { access: ADMINS, maxBodyBytes, problems: ["REPORT_NOT_FOUND", "INVALID_MONTH", ...OUTAGES] }, async (context) => {
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

  addRoute(
    api,
    readRoute,
    { access: ADMINS, maxBodyBytes, endings: { ".csv": csv }, problems: ["REPORT_NOT_FOUND", "INVALID_MONTH", ...OUTAGES] },
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
        report.status === "running" ? await quickly(starters.reportProgress(month, report.version), PROGRESS_DEADLINE_MS) : undefined;
      return context.json(showReport(report, lines, versions, progress?.stage), 200);
    },
  );
}
