import { formatAmount } from "../../base/money.ts";
import { neutraliseCell, quoteField, type ReportLine } from "../../domain/reports/report-csv.ts";

const HEADER = "service_name,month_amount\n";

/**
 * A month's revenue as the earlier service wrote it: a header, a comma, one line per service name, by name. Only the lines of the given
 * currency are in it, and services that had the same name at the time of the sale are one line. The same lines give the same bytes.
 */
export function renderLegacyReport(lines: readonly ReportLine[], currency: string): string {
  const byName = new Map<string, bigint>();
  for (const { currency: ofLine, serviceName, revenueMinor } of lines)
    if (ofLine === currency) byName.set(serviceName, (byName.get(serviceName) ?? 0n) + revenueMinor);
  const sorted = [...byName].sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  return HEADER + sorted.map(([name, minor]) => `${quoteField(neutraliseCell(name))},${formatAmount(minor, currency)}\n`).join("");
}
