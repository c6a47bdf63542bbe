import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { readAnswer, type ApiClient } from "../kit/api-client.ts";
import { printable } from "../kit/printable.ts";

const POLL_MS = 100;
const BASE = "/api/v1/reports/revenue";

const acceptedSchema = z.object({ links: z.object({ self: z.string(), csv: z.string() }) });
const reportSchema = z.object({
  month: z.string(),
  version: z.number(),
  status: z.enum(["running", "completed", "failed"]),
  partial: z.boolean(),
  timeZone: z.string(),
  sha256: z.string().optional(),
  failureCode: z.string().optional(),
  progress: z.object({ stage: z.string() }).optional(),
  lines: z.array(z.object({ currency: z.string(), serviceName: z.string(), revenue: z.string(), count: z.number() })),
  totals: z.array(z.object({ currency: z.string(), revenue: z.string() })),
  links: z.object({ csv: z.string() }),
});
const monthsSchema = z.object({ months: z.array(z.object({ month: z.string() })) });

/** A completed version of a month's report as the API shows it. Amounts are decimal text. */
export type CompletedReport = z.infer<typeof reportSchema>;

/** One month in one currency, as `--json` prints it. */
export interface MonthRevenue {
  readonly month: string;
  readonly currency: string;
  readonly lines: readonly { readonly service: string; readonly revenue: string; readonly count: number }[];
  readonly total: string;
}

/** The report failed, or was not ready in time. */
export class ReportNotMade extends Error {
  override readonly name = "ReportNotMade";
}

/** The months that have revenue, oldest first. Throws: ApiUnreachable, UnexpectedAnswer. */
export async function listMonths(api: ApiClient): Promise<string[]> {
  return readAnswer(await api.get(BASE), [200], monthsSchema).months.map(({ month }) => month);
}

/**
 * Asks for a new version of a month's report and waits for it; `onStage` hears each stage of its making.
 * Safe to retry: a version that is being made is joined. Throws: ReportNotMade, ApiUnreachable, UnexpectedAnswer.
 */
export async function makeReport(
  api: ApiClient,
  input: { month: string; timeoutMs: number; onStage: (stage: string) => void },
): Promise<CompletedReport> {
  const { month, timeoutMs, onStage } = input;
  const { links } = readAnswer(await api.post(BASE, { month }), [202], acceptedSchema);
  const deadlineAtMs = performance.now() + timeoutMs;
  let told: string | undefined;
  for (;;) {
    const report = readAnswer(await api.get(links.self), [200], reportSchema);
    const stage = report.status === "running" ? (report.progress?.stage ?? "starting") : report.status;
    if (stage !== told) onStage(stage);
    told = stage;
    if (report.status === "completed") return report;
    if (report.status === "failed") throw new ReportNotMade(`the report of ${month} was given up (${report.failureCode ?? "INTERNAL"})`);
    if (performance.now() > deadlineAtMs)
      throw new ReportNotMade(`the report of ${month} is still being made; ask again, or look at ${links.self}`);
    await sleep(POLL_MS);
  }
}

/** The lines of a report by currency. */
export function revenueByCurrency(report: CompletedReport): MonthRevenue[] {
  return report.totals.map(({ currency, revenue }) => ({
    month: report.month,
    currency,
    lines: report.lines
      .filter((line) => line.currency === currency)
      .map((line) => ({ service: line.serviceName, revenue: line.revenue, count: line.count })),
    total: revenue,
  }));
}

/** A report as a table for a person. */
export function renderReport(report: CompletedReport, csvUrl: string): string {
  const head = `${report.month} (${report.timeZone}), version ${report.version}${report.partial ? ", partial: the month still runs" : ""}`;
  const tables = revenueByCurrency(report).map(({ currency, lines, total }) => {
    const rows = [
      ["service", `revenue, ${currency}`, "sales"],
      ...lines.map((line) => [printable(line.service), line.revenue, String(line.count)]),
      ["total", total, String(lines.reduce((sum, line) => sum + line.count, 0))],
    ];
    const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    return rows
      .map(
        ([service = "", revenue = "", count = ""]) =>
          `  ${service.padEnd(widths[0] ?? 0)}  ${revenue.padStart(widths[1] ?? 0)}  ${count.padStart(widths[2] ?? 0)}`,
      )
      .join("\n");
  });
  return [
    head,
    ...(tables.length === 0 ? ["  no revenue"] : tables),
    `  CSV: ${csvUrl}`,
    ...(report.sha256 === undefined ? [] : [`  SHA-256: ${report.sha256}`]),
  ].join("\n");
}
