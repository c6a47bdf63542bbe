import { sql } from "drizzle-orm";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ReportLine } from "../../src/domain/reports/report-csv.ts";
import { reportLinePages, reportNamePages } from "../../src/store/report-pages.ts";
import { completeReport, fixReportWatermark, listReportLines, openReport } from "../../src/store/reports.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

/** More than two pages of an export, some of them of services with one name and some in another currency. */
const LINES = 45_003;
const REPORT = { month: "2024-05", version: 1 };

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
  const admin = postgres(database.adminUrl, { max: 1 });
  await openReport(api.db, { month: REPORT.month, timeZone: "UTC", correlationId: "export" });
  await admin`insert into report_lines (month, version, currency, service_id, service_name, revenue_minor, sale_count)
    select ${REPORT.month}, 1, case when n % 10 = 0 then 'USD' else 'RUB' end, 's' || n, case when n % 7 = 0 then 'Äther' else 'Service ' || n end, n, 1
      from generate_series(1, ${LINES}) n`;
  await admin.end();
  await fixReportWatermark(api.db, REPORT);
  await completeReport(api.db, { ...REPORT, sha256: "0".repeat(64), fileName: "export.csv", lineCount: LINES });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

describe("an export of a month", () => {
  test("of many pages has every line once, in the order of the report", async () => {
    const expected = await listReportLines(api.db, REPORT);
    expect(expected).toHaveLength(LINES);
    const answer = await api.call("GET", "/api/v1/reports/revenue/2024-05.csv?header=true&delimiter=,");
    const [header, ...lines] = answer.text.trimEnd().split("\n");
    expect(header).toBe("service_name,revenue,currency");
    const written = ({ serviceName, revenueMinor, currency }: ReportLine) =>
      `${serviceName},${revenueMinor / 100n}.${String(revenueMinor % 100n).padStart(2, "0")},${currency}`;
    expect(lines).toEqual(expected.map(written));
  });

  test("is sent page by page and never held as a whole: nothing is read before the client takes it", async () => {
    const response = await api.app.request("http://x/api/v1/reports/revenue/2024-05.csv");
    const reader = response.body?.getReader();
    const sizes: number[] = [];
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) sizes.push(part.value.length);
    const whole = sizes.reduce((sum, size) => sum + size, 0);
    expect(whole).toBeGreaterThan(LINES * 10);
    expect(Math.max(...sizes)).toBeLessThan(whole / 2);
  });

  test("as the earlier service wrote it adds up services of one name, also across pages", async () => {
    const answer = await api.call("GET", "/api/report/2024/5/report.csv");
    const lines = answer.text.trimEnd().split("\n").slice(1);
    const [sum] = await api.db.execute<{ minor: string; names: string }>(sql`
      select sum(revenue_minor)::text as minor, count(distinct service_name)::text as names from report_lines where currency = 'RUB'`);
    const cents = lines.map((line) => BigInt(line.slice(line.lastIndexOf(",") + 1).replace(".", "")));
    expect(lines.filter((line) => line.startsWith("Äther,"))).toHaveLength(1);
    expect([lines.length, cents.reduce((all, minor) => all + minor, 0n)]).toEqual([Number(sum?.names), BigInt(sum?.minor ?? 0)]);
    expect(lines).toEqual(lines.toSorted((a, b) => Buffer.compare(Buffer.from(a.split(",")[0] ?? ""), Buffer.from(b.split(",")[0] ?? ""))));
  });

  test("gives the same lines whatever the size of a page", async () => {
    const names = async (pageLines: number) => {
      const seen: string[] = [];
      for await (const page of reportNamePages(api.db, { ...REPORT, currency: "USD" }, pageLines))
        seen.push(...page.map((one) => one.serviceName));
      return seen;
    };
    expect(await names(1_000)).toEqual(await names(100_000));
    const lines: ReportLine[] = [];
    for await (const page of reportLinePages(api.db, REPORT, 9_001)) lines.push(...page);
    expect(lines).toEqual(await listReportLines(api.db, REPORT));
  });
});
