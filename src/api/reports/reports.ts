import { monthPeriod, parseMonth } from "../../domain/reports/report-period.ts";
import { listReportVersions, listRevenueMonths, openReport } from "../../store/reports.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";
import { addReadReportRoutes } from "./read-reports.ts";
import { closeMonthRoute, listReportMonthsRoute, orderReportRoute } from "./reports-schemas.ts";
import { reportLinks, showVersion } from "./show-report.ts";

/** Revenue reports: versions that never change, made by a workflow each. */
export function addReportRoutes(routes: Routes, deps: ApiDeps): void {
  const { db, starters, settings } = deps;
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
      // A version that was open before is started too: the request that opened it may have died before it started the workflow.
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

  if (settings.testClock === true)
    routes.add(closeMonthRoute, { access: ADMINS, problems: ["INVALID_MONTH"] }, async (context) => {
      const month = parseMonth(context.req.valid("param").month);
      await starters.closeMonth(month, { timeZone, at: new Date(monthPeriod(month, timeZone).endsAtMs).toISOString() });
      return context.json({ month, links: { self: `/api/v1/reports/revenue/${month}` } }, 202);
    });

  addReadReportRoutes(routes, deps);
}
