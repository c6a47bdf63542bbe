import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { purchaseOperation } from "../domain/ledger/wallet-operations.ts";
import type { ReportLine } from "../domain/reports/report-csv.ts";
import { monthOf, monthPeriod } from "../domain/reports/report-period.ts";
import { createLedger, type Ledger } from "./ledger/ledger.ts";
import { createDatabase, type Database } from "./postgres/database.ts";
import {
  aggregateReportLines,
  completeReport,
  failReport,
  fixReportWatermark,
  getReport,
  listReportCurrencies,
  listReportLines,
  listReportVersions,
  listRevenueMonths,
  openReport,
  streamReportLines,
} from "./reports.ts";

const MOSCOW = "Europe/Moscow";
const deadlineMs = 20_000;
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let purchases = 0;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "reports-test", laneCount: 4, deadlineMs });
  ledger = createLedger({ url: testDatabase.appUrl, name: "reports-test", laneCount: 1, deadlineMs: 10_000 });
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await testDatabase.drop();
});

const sell = async (occurredAt: string, amountMinor: bigint, serviceId = "cleaning", currency = "RUB") => {
  purchases += 1;
  const origin = { caller: "test", correlationId: "test" };
  const result = await ledger.post(
    purchaseOperation({
      key: `p-${purchases}`,
      userId: "ann",
      amountMinor,
      currency,
      serviceId,
      paymentMethod: "card",
      occurredAt,
      comment: "test",
      origin,
    }),
  );
  expect(result.outcome).toBe("done");
};

const open = (month: string, timeZone = MOSCOW) => openReport(database.db, { month, timeZone, correlationId: "test" });

const aggregate = async (report: { month: string; version: number }, watermark: string) => {
  const lane = database.openLane("report", deadlineMs);
  try {
    await aggregateReportLines(lane, { ...report, period: monthPeriod(report.month, MOSCOW), watermark, deadlineMs });
  } finally {
    await lane.close();
  }
};

const make = async (month: string) => {
  const { version } = await open(month);
  const watermark = await fixReportWatermark(database.db, { month, version });
  await aggregate({ month, version }, watermark);
  await completeReport(database.db, { month, version, sha256: "s", fileName: "f", lineCount: 1 });
  return { version, watermark, lines: await listReportLines(database.db, { month, version }) };
};

const summary = (lines: readonly ReportLine[]) =>
  lines.map((line) => `${line.currency} ${line.serviceName} ${line.revenueMinor} ${line.saleCount}`);

describe("opening a report", () => {
  it("joins the version that is being made and opens the next one when it has ended", async () => {
    expect(await open("2001-01")).toEqual({ month: "2001-01", version: 1, created: true });
    expect(await open("2001-01")).toEqual({ month: "2001-01", version: 1, created: false });
    await failReport(database.db, { month: "2001-01", version: 1, code: "INTERNAL" });
    expect(await open("2001-01")).toEqual({ month: "2001-01", version: 2, created: true });
    expect(
      (await listReportVersions(database.db, { month: "2001-01" })).map((report) => [report.version, report.status, report.failureCode]),
    ).toEqual([
      [2, "running", undefined],
      [1, "failed", "INTERNAL"],
    ]);
  });

  it("gives one version to all who ask at the same moment", async () => {
    const opened = await Promise.all(Array.from({ length: 16 }, () => open("2001-02")));
    expect(opened.filter((report) => report.created)).toHaveLength(1);
    expect(new Set(opened.map((report) => report.version))).toEqual(new Set([1]));
  });

  it("marks the month that still runs as partial and refuses one that has not begun", async () => {
    const thisMonth = monthOf(Date.now(), MOSCOW);
    await open(thisMonth);
    expect(await getReport(database.db, { month: thisMonth, version: 1 })).toMatchObject({ partial: true, status: "running" });
    await open("2001-03");
    expect(await getReport(database.db, { month: "2001-03", version: 1 })).toMatchObject({ partial: false });
    await expect(open("2199-01")).rejects.toMatchObject({ code: "INVALID_MONTH" });
  });
});

describe("a month's revenue", () => {
  it("counts a sale in the month it happened in by the clock of the zone, and in one only", async () => {
    await sell("2010-01-31T20:59:59.999Z", 1n);
    await sell("2010-01-31T21:00:00.000Z", 20n);
    await sell("2010-02-28T20:59:59.999Z", 300n);
    await sell("2010-02-28T21:00:00.000Z", 4_000n);
    const months = [await make("2010-01"), await make("2010-02"), await make("2010-03")];
    expect(months.map((month) => month.lines[0]?.revenueMinor)).toEqual([1n, 320n, 4_000n]);
  });

  it("stands under the name that the service had at the time of the sale, per currency, sorted", async () => {
    const admin = postgres(testDatabase.adminUrl, { max: 1, fetch_types: false });
    try {
      await admin`insert into services (id, name) values ('s-1', 'Old name'), ('s-2', 'Ätherisch')`;
      await sell("2011-05-10T00:00:00Z", 100n, "s-1");
      await admin`update services set name = 'New name' where id = 's-1'`;
      await sell("2011-05-11T00:00:00Z", 200n, "s-1");
      await sell("2011-05-11T00:00:00Z", 5n, "s-1");
      await sell("2011-05-11T00:00:00Z", 7n, "s-2", "EUR");
      await sell("2011-05-11T00:00:00Z", 9n, "unnamed", "EUR");
    } finally {
      await admin.end({ timeout: 5 });
    }
    const { version, lines } = await make("2011-05");
    expect(summary(lines)).toEqual(["EUR unnamed 9 1", "EUR Ätherisch 7 1", "RUB New name 205 2", "RUB Old name 100 1"]);
    expect(await listReportCurrencies(database.db, { month: "2011-05", version })).toEqual(["EUR", "RUB"]);
    const streamed: ReportLine[] = [];
    const lane = database.openLane("report", deadlineMs);
    await streamReportLines(lane, { month: "2011-05", version, deadlineMs }, async (group) => void streamed.push(...group));
    await lane.close();
    expect(streamed).toEqual(lines);
  });

  it("holds exactly what was committed when its watermark was taken, however often it is added up", async () => {
    await sell("2012-01-10T00:00:00Z", 100n);
    const admin = postgres(testDatabase.adminUrl, { max: 1, fetch_types: false });
    const { version } = await open("2012-01");
    const report = { month: "2012-01", version };
    try {
      // A transaction that began before the watermark and commits after it: its ids are the smaller ones.
      await admin.unsafe(
        "begin; insert into operations (key, content_hash, kind, outcome, currency, amount_minor, caller, correlation_id, comment, effective_at, recorded_at) values ('late', 'h', 'charge', 'done', 'RUB', 5, 'test', 'test', '', '2012-01-11', now())",
      );
      await admin.unsafe(`insert into postings (operation_id, currency, debit_account, credit_account, amount_minor, debit_balance_minor, debit_version, credit_balance_minor, credit_version, service_id, service_name, revenue_minor, effective_at, recorded_at)
        select o.id, 'RUB', d.id, c.id, 5, 0, 1000000, 0, 1000000, 'cleaning', 'cleaning', 5, '2012-01-11', now() from operations o, accounts d, accounts c
         where o.key = 'late' and d.kind = 'psp' and d.currency = 'RUB' and c.kind = 'revenue' and c.owner = 'cleaning' and c.currency = 'RUB'`);
      const watermark = await fixReportWatermark(database.db, report);
      await admin.unsafe("commit");
      await sell("2012-01-12T00:00:00Z", 7n);
      await aggregate(report, watermark);
      await aggregate(report, await fixReportWatermark(database.db, report));
      await completeReport(database.db, { ...report, sha256: "s", fileName: "f", lineCount: 1 });
      expect(summary(await listReportLines(database.db, report))).toEqual(["RUB cleaning 100 1"]);
    } finally {
      await admin.end({ timeout: 5 });
    }
    expect(summary((await make("2012-01")).lines)).toEqual(["RUB cleaning 112 3"]);
  });

  it("shows no line before the report is completed", async () => {
    await sell("2013-01-10T00:00:00Z", 100n);
    const { version } = await open("2013-01");
    const report = { month: "2013-01", version };
    await aggregate(report, await fixReportWatermark(database.db, report));
    expect(await listReportLines(database.db, report)).toEqual([]);
    expect(await getReport(database.db, { month: "2013-01" })).toBeUndefined();
  });
});

describe("completing a report", () => {
  it("changes nothing the second time and refuses other content", async () => {
    const { version } = await make("2014-01");
    const again = { month: "2014-01", version, fileName: "f", lineCount: 1 };
    await completeReport(database.db, { ...again, sha256: "s" });
    await failReport(database.db, { month: "2014-01", version, code: "INTERNAL" });
    expect(await getReport(database.db, { month: "2014-01" })).toMatchObject({ status: "completed", sha256: "s", version });
    await expect(completeReport(database.db, { ...again, sha256: "other" })).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(completeReport(database.db, { ...again, version: 99, sha256: "s" })).rejects.toMatchObject({ code: "REPORT_NOT_FOUND" });
  });
});

describe("the months that have revenue", () => {
  it("are listed once each, by the clock of the zone", async () => {
    await sell("1999-12-31T20:59:59Z", 1n);
    await sell("1999-12-31T21:00:00Z", 1n);
    await sell("2000-02-10T00:00:00Z", 1n);
    const months = (timeZone: string) => listRevenueMonths(database.db, { timeZone }).then((all) => all.filter((month) => month < "2001"));
    expect(await months(MOSCOW)).toEqual(["1999-12", "2000-01", "2000-02"]);
    expect(await months("UTC")).toEqual(["1999-12", "2000-02"]);
  });
});
