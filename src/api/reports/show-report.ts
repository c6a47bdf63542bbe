import type { z } from "@hono/zod-openapi";
import { formatAmount } from "../../base/money.ts";
import type { ReportLine } from "../../domain/reports/report-csv.ts";
import { diffReportLines, type ChangedLine } from "../../domain/reports/report-diff.ts";
import type { ReportRecord } from "../../store/reports.ts";
import type { reportDiffSchema, reportSchema } from "./reports-schemas.ts";

const BASE = "/api/v1/reports/revenue";

/** Where one version of a report is found, for programs and as CSV. */
export function reportLinks(month: string, version: number) {
  return { self: `${BASE}/${month}?version=${version}`, csv: `${BASE}/${month}.csv?version=${version}` };
}

/** A version of a report without its lines. */
export function showVersion(report: ReportRecord) {
  const { version, status, partial, sha256, watermark, lineCount, failureCode, codeVersion, createdAt, completedAt } = report;
  return {
    version,
    status,
    partial,
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(watermark === undefined ? {} : { watermark }),
    ...(lineCount === undefined ? {} : { lineCount }),
    ...(failureCode === undefined ? {} : { failureCode }),
    ...(codeVersion === undefined ? {} : { codeVersion }),
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
  return {
    month: report.month,
    timeZone: report.timeZone,
    ...showVersion(report),
    ...(stage === undefined ? {} : { progress: { stage } }),
    lines: lines.map(showLine),
    totals: [...totalsOf(lines)].map(([currency, revenueMinor]) => ({ currency, revenue: formatAmount(revenueMinor, currency) })),
    versions: versions.map(showVersion),
  };
}

/** The differences between two versions of a report, line by line and in sum. */
export function showReportDiff(input: {
  readonly month: string;
  readonly from: number;
  readonly to: number;
  readonly before: readonly ReportLine[];
  readonly after: readonly ReportLine[];
}): z.infer<typeof reportDiffSchema> {
  const { month, from, to, before, after } = input;
  const { added, removed, changed } = diffReportLines(before, after);
  const [oldTotals, newTotals] = [totalsOf(before), totalsOf(after)];
  return {
    month,
    from,
    to,
    added: added.map(showLine),
    removed: removed.map(showLine),
    changed: changed.map(showChange),
    totals: [...new Set([...oldTotals.keys(), ...newTotals.keys()])].sort().map((currency) => {
      const [old, fresh] = [oldTotals.get(currency) ?? 0n, newTotals.get(currency) ?? 0n];
      const text = (amountMinor: bigint) => formatAmount(amountMinor, currency);
      return { currency, from: text(old), to: text(fresh), difference: text(fresh - old) };
    }),
  };
}

function totalsOf(lines: readonly ReportLine[]): Map<string, bigint> {
  const totals = new Map<string, bigint>();
  for (const { currency, revenueMinor } of lines) totals.set(currency, (totals.get(currency) ?? 0n) + revenueMinor);
  return totals;
}

function showChange({ before, after }: ChangedLine) {
  const difference = formatAmount(after.revenueMinor - before.revenueMinor, after.currency);
  return { ...showService(after), from: showSum(before), to: showSum(after), difference };
}

function showLine(line: ReportLine) {
  return { ...showService(line), ...showSum(line) };
}

function showService({ currency, serviceId, serviceName }: ReportLine) {
  return { currency, serviceId, serviceName };
}

function showSum({ currency, revenueMinor, saleCount }: ReportLine) {
  return { revenue: formatAmount(revenueMinor, currency), count: Number(saleCount) };
}
