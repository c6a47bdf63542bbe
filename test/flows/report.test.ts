import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { withFailures } from "../../activities/failures.ts";
import { createReportActivities } from "../../activities/reports.ts";
import { reportWorkflowId } from "../../src/contract/ids.ts";
import { reportProgressQuery } from "../../src/contract/reports.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { purchaseOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { getReport, listReportLines, openReport } from "../../src/store/reports.ts";
import { CLOSE_MONTH_SCHEDULE, ensureCloseMonthSchedule } from "../../workers/parts/schedules.ts";
import type { closeMonth } from "../../workflows/reports/close-month.ts";
import type { revenueReport } from "../../workflows/reports/revenue-report.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const timeZone = "Europe/Moscow";
const taskQueue = TASK_QUEUES.reports;
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let reportsDir: string;
let connection: Connection;
let nativeConnection: NativeConnection;
let client: Client;
let worker: Worker;
let workerEnded: Promise<void>;
let failWrites = 0;

beforeAll(async () => {
  // The failures that these tests make are no news.
  Runtime.install({ logger: new DefaultLogger("ERROR") });
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "report-flow", laneCount: 3, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "report-flow", laneCount: 1, deadlineMs: 10_000 });
  reportsDir = mkdtempSync(join(tmpdir(), "saldo-report-flow-"));
  const address = inject("temporalAddress");
  // A namespace of its own: the schedule and the ids of reports are the same in every database.
  const namespace = `reports-${randomUUID()}`;
  connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as unknown as Long },
  });
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: { ReportMonth: temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD },
  });
  client = new Client({ connection, namespace });
  nativeConnection = await NativeConnection.connect({ address });
  const activities = createReportActivities({ db: database.db, openLane: database.openLane, reportsDir });
  worker = await Worker.create({
    connection: nativeConnection,
    namespace,
    taskQueue,
    workflowsPath: fileURLToPath(new URL("../../workflows/index.ts", import.meta.url)),
    activities: withFailures({
      ...activities,
      writeReport: async (content: Parameters<typeof activities.writeReport>[0]) => {
        const written = await activities.writeReport(content);
        if (failWrites === 0) return written;
        failWrites -= 1;
        throw new Error("the worker died after it had written the file");
      },
    }),
  });
  workerEnded = worker.run();
});

afterAll(async () => {
  worker.shutdown();
  await workerEnded;
  await nativeConnection.close();
  await connection.close();
  await ledger.close();
  await database.close();
  await testDatabase.drop();
  rmSync(reportsDir, { recursive: true, force: true });
});

const sell = (key: string, occurredAt: string, amountMinor: bigint) =>
  ledger.post(
    purchaseOperation({
      key,
      userId: "ann",
      currency: "RUB",
      amountMinor,
      serviceId: "cleaning",
      paymentMethod: "card",
      occurredAt,
      comment: "test",
      origin: { caller: "test", correlationId: "test" },
    }),
  );

const start = async (month: string) => {
  const { version } = await openReport(database.db, { month, timeZone, correlationId: "test" });
  return client.workflow.start<typeof revenueReport>("revenueReport", {
    taskQueue,
    workflowId: reportWorkflowId(month, version),
    args: [{ month, version, timeZone, correlationId: "test" }],
  });
};

describe("a revenue report", () => {
  it("becomes a version with its file, its hash and its watermark", async () => {
    await sell("r-1", "2015-03-31T20:59:59Z", 10_050n);
    await sell("r-2", "2015-03-31T21:00:00Z", 1n);
    const handle = await start("2015-03");
    const result = await handle.result();
    const report = await getReport(database.db, { month: "2015-03" });
    expect(report).toMatchObject({
      version: 1,
      status: "completed",
      partial: false,
      sha256: result.sha256,
      watermark: result.watermark,
      lineCount: 1,
    });
    const file = readFileSync(join(reportsDir, report?.fileName ?? ""));
    expect(file.toString("utf8")).toBe("cleaning;100.50\n");
    expect(createHash("sha256").update(file).digest("hex")).toBe(result.sha256);
    expect(await handle.query(reportProgressQuery)).toEqual({ month: "2015-03", version: 1, stage: "completed" });
    expect((await handle.describe()).searchAttributes).toMatchObject({ ReportMonth: ["2015-03"] });
  });

  it("starts its file over after a crash and comes to the same bytes", async () => {
    await sell("c-1", "2015-05-10T00:00:00Z", 700n);
    failWrites = 1;
    const handle = await start("2015-05");
    await handle.result();
    expect(failWrites).toBe(0);
    expect(await listReportLines(database.db, { month: "2015-05", version: 1 })).toMatchObject([{ revenueMinor: 700n, saleCount: 1n }]);
  });

  it("leaves an earlier version as it was when a later one finds more", async () => {
    await sell("v-1", "2015-06-10T00:00:00Z", 100n);
    const first = await (await start("2015-06")).result();
    await sell("v-2", "2015-06-11T00:00:00Z", 50n);
    const second = await (await start("2015-06")).result();
    expect([first.version, second.version]).toEqual([1, 2]);
    expect(readFileSync(join(reportsDir, "revenue-2015-06-v1.csv"), "utf8")).toBe("cleaning;1.00\n");
    expect(readFileSync(join(reportsDir, "revenue-2015-06-v2.csv"), "utf8")).toBe("cleaning;1.50\n");
  });

  it("is given up when it is cancelled, so that the next one does not join it", async () => {
    const { version } = await openReport(database.db, { month: "2015-07", timeZone, correlationId: "test" });
    const handle = await client.workflow.start<typeof revenueReport>("revenueReport", {
      taskQueue,
      workflowId: reportWorkflowId("2015-07", version),
      args: [{ month: "2015-07", version: version + 50, timeZone, correlationId: "test" }],
    });
    await expect(handle.result()).rejects.toMatchObject({ cause: { cause: { type: "REPORT_NOT_FOUND" } } });
    failWrites = 1_000;
    const stuck = await client.workflow.start<typeof revenueReport>("revenueReport", {
      taskQueue,
      workflowId: `${reportWorkflowId("2015-07", version)}/stuck`,
      args: [{ month: "2015-07", version, timeZone, correlationId: "test" }],
    });
    await until("it is being written", () => failWrites < 1_000);
    await stuck.cancel();
    await expect(stuck.result()).rejects.toThrow("Workflow execution cancelled");
    failWrites = 0;
    expect(await getReport(database.db, { month: "2015-07", version })).toMatchObject({ status: "failed" });
    expect(await openReport(database.db, { month: "2015-07", timeZone, correlationId: "test" })).toMatchObject({
      version: version + 1,
      created: true,
    });
  });
});

describe("the close of a month", () => {
  const close = (workflowId: string, month?: string) =>
    client.workflow.execute<typeof closeMonth>("closeMonth", {
      taskQueue,
      workflowId,
      args: [{ timeZone, ...(month === undefined ? {} : { month }) }],
    });

  it("makes the next version of the month it is given", async () => {
    await sell("m-1", "2015-09-10T00:00:00Z", 300n);
    expect(await close("close-1", "2015-09")).toEqual({ month: "2015-09", version: 1, joined: false });
    expect(await close("close-2", "2015-09")).toEqual({ month: "2015-09", version: 2, joined: false });
    expect(await getReport(database.db, { month: "2015-09" })).toMatchObject({
      version: 2,
      status: "completed",
      workflowId: "revenue-report/2015-09/2",
    });
  });

  it("joins the report that is being made", async () => {
    failWrites = 1_000;
    const running = await start("2015-10");
    expect(await close("close-3", "2015-10")).toEqual({ month: "2015-10", version: 1, joined: true });
    failWrites = 1;
    await running.result();
    expect(failWrites).toBe(0);
  });

  it("takes the month before the moment it was scheduled for, although it runs years later", async () => {
    await sell("s-1", "2016-01-31T20:00:00Z", 900n);
    await ensureCloseMonthSchedule(client.schedule, { timeZone });
    const schedule = client.schedule.getHandle(CLOSE_MONTH_SCHEDULE);
    // The schedule's moment is 00:10 of 1 February in Moscow, which is 31 January in UTC.
    await schedule.backfill({ start: new Date("2016-01-31T20:00:00Z"), end: new Date("2016-01-31T22:00:00Z") });
    await until("the month is closed", async () => (await getReport(database.db, { month: "2016-01" })) !== undefined);
    expect(await getReport(database.db, { month: "2016-01" })).toMatchObject({ version: 1, status: "completed", partial: false });
    expect(await listReportLines(database.db, { month: "2016-01", version: 1 })).toMatchObject([{ revenueMinor: 900n }]);
  });
});

describe("the schedule that closes months", () => {
  const describeSchedule = () => client.schedule.getHandle(CLOSE_MONTH_SCHEDULE).describe();

  it("is made once, fires ten minutes past each month in the zone, and skips none", async () => {
    await ensureCloseMonthSchedule(client.schedule, { timeZone });
    await ensureCloseMonthSchedule(client.schedule, { timeZone });
    const { info, policies } = await describeSchedule();
    const local = info.nextActionTimes
      .slice(0, 3)
      .map((time) => new Intl.DateTimeFormat("en-GB", { timeZone, day: "2-digit", hour: "2-digit", minute: "2-digit" }).format(time));
    expect(local).toEqual(["01, 00:10", "01, 00:10", "01, 00:10"]);
    expect(policies).toMatchObject({ overlap: "BUFFER_ALL", catchupWindow: 365 * 86_400_000 });
  });

  it("follows a changed time zone and stays paused when an operator paused it", async () => {
    await client.schedule.getHandle(CLOSE_MONTH_SCHEDULE).pause("audit");
    await ensureCloseMonthSchedule(client.schedule, { timeZone: "Asia/Tokyo" });
    const { spec, state, action } = await describeSchedule();
    expect(spec.timezone).toBe("Asia/Tokyo");
    expect(state).toMatchObject({ paused: true, note: "audit" });
    expect(action).toMatchObject({ args: [{ timeZone: "Asia/Tokyo" }] });
  });
});
