import type { z } from "@hono/zod-openapi";
import type { ReportLine } from "../domain/report-csv.ts";
import { formatAmount } from "../money.ts";
import type { ReportRecord } from "../store/reports.ts";
import type { reportSchema } from "./schemas/reports.ts";

const BASE = "/api/v1/reports/revenue";

/** Where one version of a report is found, for programs and as CSV. */
export function reportLinks(month: string, version: number) {
  return { self: `${BASE}/${month}?version=${version}`, csv: `${BASE}/${month}.csv?version=${version}` };
}

/** What there is to know of a version without its lines. */
export function showVersion(report: ReportRecord) {
  const { version, status, partial, sha256, watermark, lineCount, failureCode, createdAt, completedAt } = report;
  return {
    version,
    status,
    partial,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(watermark === undefined ? {} : { watermark }),
    ...(lineCount === undefined ? {} : { lineCount }),
    ...(failureCode === undefined ? {} : { failureCode }),
    createdAt: createdAt.toISOString(),
    ...(completedAt === undefined ? {} : { completedAt: completedAt.toISOString() }),
    links: reportLinks(report.month, version),
  };
}

/** A version with its lines and their sum per currency. */
export function showReport(
  report: ReportRecord,
  lines: readonly ReportLine[],
  versions: readonly ReportRecord[],
  stage: string | undefined,
): z.infer<typeof reportSchema> {
  const totals = new Map<string, bigint>();
  for (const { currency, revenueMinor } of lines) totals.set(currency, (totals.get(currency) ?? 0n) + revenueMinor);
  return {
    month: report.month,
    timeZone: report.timeZone,
    ...showVersion(report),
    ...(stage === undefined ? {} : { progress: { stage } }),
    lines: lines.map(({ currency, serviceId, serviceName, revenueMinor, saleCount }) => ({
      currency,
      serviceId,
      serviceName,
      revenue: formatAmount(revenueMinor, currency),
      count: Number(saleCount),
    })),
    totals: [...totals].map(([currency, revenueMinor]) => ({ currency, revenue: formatAmount(revenueMinor, currency) })),
    versions: versions.map(showVersion),
  };
}
