import type { ReportLine } from "./report-csv.ts";

/** A line that stands in both versions with another sum or another number of sales. */
export interface ChangedLine {
  readonly before: ReportLine;
  readonly after: ReportLine;
}

export interface ReportDiff {
  readonly added: readonly ReportLine[];
  readonly removed: readonly ReportLine[];
  readonly changed: readonly ChangedLine[];
}

/** What changed from one version of a report to another. A line is known by its currency, service and the service's name. Keeps the order of the lines. */
export function diffReportLines(before: readonly ReportLine[], after: readonly ReportLine[]): ReportDiff {
  const old = new Map(before.map((line) => [identity(line), line]));
  const fresh = new Set(after.map(identity));
  return {
    added: after.filter((line) => !old.has(identity(line))),
    removed: before.filter((line) => !fresh.has(identity(line))),
    changed: after.flatMap((line) => {
      const known = old.get(identity(line));
      const same = known === undefined || (known.revenueMinor === line.revenueMinor && known.saleCount === line.saleCount);
      return same ? [] : [{ before: known, after: line }];
    }),
  };
}

function identity({ currency, serviceId, serviceName }: ReportLine): string {
  return JSON.stringify([currency, serviceId, serviceName]);
}
