import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  needsCurrencyColumn,
  neutraliseCell,
  reportCsvLine,
  reportCsvStart,
  type ReportCsvOptions,
  type ReportLine,
} from "./report-csv.ts";

const renderReportCsv = (lines: readonly ReportLine[], options: ReportCsvOptions) =>
  reportCsvStart(options) + lines.map((line) => reportCsvLine(line, options)).join("");

const line = (serviceName: string, revenueMinor = 10_050n, currency = "RUB"): ReportLine => ({
  currency,
  serviceId: "s",
  serviceName,
  revenueMinor,
  saleCount: 1n,
});
const plain = { delimiter: ";", header: false, withCurrency: false } as const;
const DANGEROUS = ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=1", "\0=1", "＝1", "＋1"];

describe("a report as CSV", () => {
  it("is service name;revenue without a header unless asked otherwise", () => {
    expect(renderReportCsv([line("Cleaning"), line("Доставка", -5n)], plain)).toBe("Cleaning;100.50\nДоставка;-0.05\n");
  });

  it("takes another delimiter, a header and the currency", () => {
    expect(renderReportCsv([line("Доставка")], { ...plain, header: true, bom: true })).toBe(
      "\uFEFFservice_name;revenue\nДоставка;100.50\n",
    );
    expect(renderReportCsv([line("Cleaning"), line("Points", 7n, "PTS")], { delimiter: ",", header: true, withCurrency: true })).toBe(
      "service_name,revenue,currency\nCleaning,100.50,RUB\nPoints,7,PTS\n",
    );
  });

  it("asks for the currency as soon as there are two of them", () => {
    expect([
      needsCurrencyColumn([]),
      needsCurrencyColumn([line("a"), line("b")]),
      needsCurrencyColumn([line("a"), line("b", 1n, "USD")]),
    ]).toEqual([false, false, true]);
  });

  it.each(DANGEROUS)("never lets a spreadsheet run %j", (name) => {
    expect(neutraliseCell(name)).toMatch(/^'/);
  });

  it.each(["a,b", "a;=1+1", "a\tb", 'a"b', "a\nb"])(
    "quotes %j whichever delimiter is used, as a spreadsheet may take another one",
    (name) => {
      for (const delimiter of [";", ",", "\t"] as const)
        expect(renderReportCsv([line(name)], { ...plain, delimiter })).toBe(`"${name.replaceAll('"', '""')}"${delimiter}100.50\n`);
    },
  );

  it("leaves negative amounts as numbers", () => {
    expect(renderReportCsv([line("x", -123n)], plain)).toBe("x;-1.23\n");
  });

  it("reads back as it was written, whatever a service is called", () => {
    const names = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom(...DANGEROUS, '"', ";", ",", "a\nb", "a\r\nb", '";"', "x".repeat(32_768), "😀"),
    );
    fc.assert(
      fc.property(
        fc.array(names, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(";" as const, "," as const, "\t" as const),
        (serviceNames, delimiter) => {
          const text = renderReportCsv(
            serviceNames.map((name) => line(name)),
            { delimiter, header: false, withCurrency: true },
          );
          const rows = parse(text, { delimiter, record_delimiter: "\n" });
          expect(rows).toEqual(serviceNames.map((name) => [neutraliseCell(name), "100.50", "RUB"]));
          for (const [name] of rows) expect(name).not.toMatch(/^[=+\-@\t\r]|\0/);
        },
      ),
    );
  });
});
