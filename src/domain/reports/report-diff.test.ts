import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ReportLine } from "./report-csv.ts";
import { diffReportLines } from "./report-diff.ts";

const line = (serviceId: string, revenueMinor: bigint, saleCount = 1n, serviceName = serviceId, currency = "RUB"): ReportLine => ({
  currency,
  serviceId,
  serviceName,
  revenueMinor,
  saleCount,
});

const lines = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom("A", "B"), fc.constantFrom("RUB", "USD"), fc.bigInt(-3n, 3n), fc.bigInt(0n, 2n))
    .map(([id, name, currency, revenueMinor, saleCount]) => line(id, revenueMinor, saleCount, name, currency)),
  { selector: ({ serviceId, serviceName, currency }) => `${serviceId} ${serviceName} ${currency}` },
);

describe("the difference of two versions", () => {
  it("has what came, what went and what changed, in money or in number", () => {
    const diff = diffReportLines(
      [line("gone", 1n), line("same", 2n), line("more", 3n), line("count", 4n)],
      [line("same", 2n), line("more", 5n), line("count", 4n, 2n), line("new", 6n)],
    );
    expect(diff.added).toEqual([line("new", 6n)]);
    expect(diff.removed).toEqual([line("gone", 1n)]);
    expect(diff.changed.map(({ after }) => after.serviceId)).toEqual(["more", "count"]);
  });

  it("holds a service under another name for another line", () => {
    expect(diffReportLines([line("s", 1n, 1n, "Old")], [line("s", 1n, 1n, "New")])).toMatchObject({
      added: [{}],
      removed: [{}],
      changed: [],
    });
  });

  it("leads from the one version to the other", () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const { added, removed, changed } = diffReportLines(before, after);
        const rebuilt = before
          .filter((one) => !removed.includes(one))
          .map((one) => changed.find((change) => change.before === one)?.after ?? one)
          .concat(added);
        const sorted = (list: readonly ReportLine[]) => list.map((one) => Object.values(one).join("|")).toSorted();
        expect(sorted(rebuilt)).toEqual(sorted(after));
      }),
    );
  });
});
