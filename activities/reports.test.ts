import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { purchaseOperation } from "../src/domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger } from "../src/store/ledger/ledger.ts";
import { createDatabase, type Database } from "../src/store/postgres/database.ts";
import { getReport, openReport } from "../src/store/reports.ts";
import { createTestDatabase, type TestDatabase } from "../test/support/test-database.ts";
import { withFailures } from "./failures.ts";
import { createReportActivities } from "./reports.ts";

const timeZone = "Europe/Moscow";
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let reportsDir: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "report-activities", laneCount: 2, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "report-activities", laneCount: 1, deadlineMs: 10_000 });
  reportsDir = mkdtempSync(join(tmpdir(), "saldo-reports-"));
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await testDatabase.drop();
  rmSync(reportsDir, { recursive: true, force: true });
});

const activitiesIn = (directory: string) =>
  withFailures(createReportActivities({ db: database.db, openLane: database.openLane, reportsDir: directory }));
const run = async <Input, Result>(activity: (input: Input) => Promise<Result>, input: Input): Promise<Result> =>
  (await new MockActivityEnvironment().run(activity, input)) as Result;

const sell = (key: string, month: string, serviceId: string, amountMinor: bigint, currency = "RUB") =>
  ledger.post(
    purchaseOperation({
      key,
      userId: "ann",
      currency,
      amountMinor,
      serviceId,
      paymentMethod: "card",
      occurredAt: `${month}-10T12:00:00Z`,
      comment: "test",
      origin: { caller: "test", correlationId: "test" },
    }),
  );

const opened = async (month: string) => {
  const { version } = await openReport(database.db, { month, timeZone, correlationId: "test" });
  const watermark = await run(activitiesIn(reportsDir).fixWatermark, { month, version });
  return { month, version, timeZone, watermark };
};

describe("writing a report", () => {
  it("gives the same bytes however often it is tried, whatever was sold meanwhile", async () => {
    await sell("a-1", "2020-01", "=SUM(A1)", 10_050n);
    await sell("a-2", "2020-01", "Доставка;быстро", 5n);
    const content = await opened("2020-01");
    const first = await run(activitiesIn(reportsDir).writeReport, content);
    await sell("a-3", "2020-01", "late", 1n);
    const second = await run(activitiesIn(reportsDir).writeReport, content);
    expect(second).toEqual(first);
    const text = readFileSync(join(reportsDir, first.fileName), "utf8");
    expect(text).toBe('\'=SUM(A1);100.50\n"Доставка;быстро";0.05\n');
    expect(first).toEqual({ fileName: "revenue-2020-01-v1.csv", lineCount: 2, sha256: createHash("sha256").update(text).digest("hex") });
  });

  it("adds the currency as soon as there are two", async () => {
    await sell("b-1", "2020-02", "cleaning", 100n);
    await sell("b-2", "2020-02", "cleaning", 700n, "USD");
    const { fileName } = await run(activitiesIn(reportsDir).writeReport, await opened("2020-02"));
    expect(readFileSync(join(reportsDir, fileName), "utf8")).toBe("cleaning;1.00;RUB\ncleaning;7.00;USD\n");
  });

  it("writes an empty file for a month without revenue", async () => {
    expect(await run(activitiesIn(reportsDir).writeReport, await opened("2020-03"))).toMatchObject({ lineCount: 0 });
  });

  it("may be tried again when the folder cannot be written, and goes on once it can", async () => {
    await sell("c-1", "2020-04", "cleaning", 100n);
    const content = await opened("2020-04");
    const blocked = join(reportsDir, "blocked");
    writeFileSync(blocked, "a file where the folder should be");
    await expect(run(activitiesIn(blocked).writeReport, content)).rejects.toMatchObject({ type: "UNAVAILABLE", nonRetryable: false });
    expect(await getReport(database.db, content)).toMatchObject({ status: "running" });
    rmSync(blocked);
    const written = await run(activitiesIn(blocked).writeReport, content);
    await run(activitiesIn(blocked).publishReport, { ...content, ...written });
    expect(await getReport(database.db, { month: "2020-04" })).toMatchObject({
      status: "completed",
      sha256: written.sha256,
      fileName: written.fileName,
      lineCount: 1,
    });
    expect(readdirSync(blocked)).toEqual([written.fileName]);
  });
});

describe("opening the report of the month that ended", () => {
  it("takes the month before the moment of closing, in the zone", async () => {
    const { openMonthReport } = activitiesIn(reportsDir);
    const closing = { timeZone, correlationId: "test" };
    // Ten past midnight of 1 June in Moscow is still 31 May in UTC.
    expect(await run(openMonthReport, { ...closing, closedAt: "2020-05-31T21:10:00.000Z" })).toEqual({ month: "2020-05", version: 1 });
    expect(await run(openMonthReport, { ...closing, closedAt: "2020-05-31T20:59:00.000Z" })).toEqual({ month: "2020-04", version: 2 });
    expect(await run(openMonthReport, { ...closing, closedAt: "2020-05-31T21:10:00.000Z" })).toEqual({ month: "2020-05", version: 1 });
  });

  it("is refused for good for a month that has not begun", async () => {
    const { openMonthReport } = activitiesIn(reportsDir);
    await expect(
      run(openMonthReport, { month: "2199-01", timeZone, correlationId: "test", closedAt: "2020-05-31T21:10:00.000Z" }),
    ).rejects.toMatchObject({ type: "INVALID_MONTH", nonRetryable: true });
  });
});
