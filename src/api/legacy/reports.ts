import { z } from "@hono/zod-openapi";
import { DomainError } from "../../base/errors.ts";
import { urlHost } from "../../base/url-host.ts";
import { reportNamePages } from "../../store/report-pages.ts";
import { getReport, openReport } from "../../store/reports.ts";
import type { Api, ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { isOverTls } from "../http/client-address.ts";
import { textStream } from "../http/text-stream.ts";
import { addLegacyRoute, type LegacyParts } from "./add-legacy-route.ts";
import { answerJson } from "./legacy-answers.ts";
import { incomingOf } from "./legacy-input.ts";
import { legacyReportTexts } from "./report-csv.ts";
import { monthSchema, reportLinkSchema } from "./schemas.ts";

/** How long a request waits for its report. One that takes longer is answered with 202 and the same link. */
const WAIT_MS = 15_000;

type Month = z.output<typeof monthSchema>;

/** A month's revenue as a file, as the earlier service had it: one request makes it and gives its link. */
export function addLegacyReportRoutes(api: Api, parts: LegacyParts, deps: ApiDeps): void {
  const { db, starters, settings } = deps;
  const { reportTimeZone: timeZone, defaultCurrency } = settings;

  const make = async (context: ApiContext, input: Month): Promise<Response> => {
    // The route of GET also takes HEAD, and a HEAD must not make a report.
    if (context.req.method === "HEAD") throw new DomainError("METHOD_NOT_ALLOWED");
    const month = monthText(input);
    const correlationId = context.get("correlationId");
    const { version } = await openReport(db, { month, timeZone, correlationId });
    const started = await starters.startReport({ month, version, timeZone, correlationId });
    const result = await started.outcome(WAIT_MS);
    const link = `${baseOf(context, settings.serverUrl)}/api/report/${input.year}/${input.month}/report.csv`;
    return answerJson(context, { report_link: link }, result === undefined ? 202 : 200);
  };

  const making = [
    { method: "get", path: "/api/report", operationId: "legacyGetReportLink" },
    { method: "post", path: "/api/report", operationId: "legacyMakeReport" },
    { method: "get", path: "/api/report/", operationId: "legacyGetReportLinkSlash" },
    { method: "post", path: "/api/report/", operationId: "legacyMakeReportSlash" },
  ] as const;
  for (const route of making)
    addLegacyRoute(
      api,
      parts,
      {
        ...route,
        summary: "Make a month's revenue report and give its link. Use POST /api/v1/reports/revenue",
        description:
          "Each request makes a new version, or joins the one that is being made. A month that still runs is reported as far as it has come.",
        access: ADMINS,
        routeClass: "write",
        input: monthSchema,
        answers: { type: "application/json", schema: reportLinkSchema, description: "It is made; the link serves it." },
        alsoAnswers: [202],
      },
      make,
    );

  addLegacyRoute(
    api,
    parts,
    {
      method: "get",
      path: "/api/report/{year}/{month}/report.csv",
      operationId: "legacyGetReport",
      summary: "The newest report of a month that was made. Use GET /api/v1/reports/revenue/{month}.csv",
      description: "`X-Report-Version` tells which one it is, `X-Report-Partial: true` that the month still ran when it was made.",
      access: ADMINS,
      routeClass: "read",
      input: monthSchema,
      inputFrom: "path",
      answers: { type: "text/csv", schema: z.string(), description: "`service_name,month_amount` and a line per service." },
      alsoAnswers: [404],
    },
    async (context, input) => {
      const report = await getReport(db, { month: monthText(input) });
      if (report?.status !== "completed") throw new DomainError("REPORT_NOT_FOUND", "the report of this month was not created");
      context.header("x-report-version", String(report.version));
      context.header("x-report-partial", String(report.partial));
      const names = reportNamePages(db, { ...report, currency: defaultCurrency });
      return context.body(textStream(legacyReportTexts(names, defaultCurrency)), 200, {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="report.csv"',
      });
    },
  );
}

// The month may have one or two digits. A month outside 1 to 12 is refused in the earlier service's words.
function monthText({ year, month }: Month): string {
  if (month < 1 || month > 12) throw new DomainError("INVALID_MONTH");
  return `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}`;
}

// Never made of the Host header: by host header injection a client could make the link lead to a server of its own.
function baseOf(context: ApiContext, serverUrl: string | undefined): string {
  if (serverUrl !== undefined) return serverUrl;
  const { localAddress = "127.0.0.1", localPort = 80 } = incomingOf(context)?.socket ?? {};
  const host = localAddress.replace(/^::ffff:/, "");
  return `${isOverTls(context) ? "https" : "http"}://${urlHost(host)}:${localPort}`;
}
