import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReportActivities, type ReportContent, type WrittenReport } from "../../activities/reports.ts";
import type { ApiClient } from "../../src/cli/kit/api-client.ts";
import { listMonths, makeReport, renderReport, revenueByCurrency } from "../../src/cli/report/make-report.ts";
import type { RevenueReportInput } from "../../src/contract/reports.ts";
import { purchaseOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { failReport } from "../../src/store/reports.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let testDatabase: TestDatabase;
let database: Database;
let api: TestApi;
let client: ApiClient;
let reportsDir: string;
let make: (input: RevenueReportInput) => Promise<void>;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "report-command", laneCount: 2, deadlineMs: 10_000 });
  reportsDir = mkdtempSync(join(tmpdir(), "saldo-report-command-"));
  make = makeAtOnce;
  api = createTestApi({
    databaseUrl: testDatabase.appUrl,
    starters: {
      startReport: async (input) => {
        await make(input);
        return { workflowId: "", alreadyStarted: false, outcome: () => Promise.resolve(undefined) };
      },
      reportProgress: () => Promise.resolve(undefined),
    },
  });
  client = {
    get: async (path) => answer(await api.call("GET", path)),
    post: async (path, body) => answer(await api.call("POST", path, { body, key: null })),
  };
  await sell("1", "1997-01-05T00:00:00Z", 29_905_917n, "USD");
  await sell("2", "1997-01-06T00:00:00Z", 100n, "USD");
  await sell("3", "1997-01-06T00:00:00Z", 7n, "RUB", "\u001b[2Jevil");
  await sell("4", "1997-03-06T00:00:00Z", 5n, "USD");
});

afterAll(async () => {
  await api.close();
  await database.close();
  await testDatabase.drop();
  rmSync(reportsDir, { recursive: true, force: true });
});

const answer = ({ status, body, headers }: { status: number; body: Record<string, unknown>; headers: Headers }) => ({
  status,
  body,
  headers: Object.fromEntries(headers),
});

const sell = (key: string, occurredAt: string, amountMinor: bigint, currency: string, serviceId?: string) =>
  api.ledger.post(
    purchaseOperation({
      key,
      userId: "ann",
      currency,
      amountMinor,
      paymentMethod: "card",
      occurredAt,
      comment: "test",
      origin: { caller: "test", correlationId: "test" },
      ...(serviceId === undefined ? {} : { serviceId }),
    }),
  );

/** What the workflow does, without the workflow. */
async function makeAtOnce({ month, version, timeZone }: RevenueReportInput): Promise<void> {
  const activities = createReportActivities({ db: database.db, openLane: database.openLane, reportsDir });
  const watermark = await activities.fixWatermark({ month, version });
  const environment = new MockActivityEnvironment();
  const written = await environment.run<[ReportContent], WrittenReport, typeof activities.writeReport>(activities.writeReport, {
    month,
    version,
    timeZone,
    watermark,
  });
  await activities.publishReport({ month, version, ...written });
}

const request = (month: string) => makeReport(client, { month, timeoutMs: 10_000, onStage: () => undefined });

describe("the report command", () => {
  it("prints one element per month and currency for every month that has revenue", async () => {
    const reports = [];
    for (const month of await listMonths(client)) reports.push(...revenueByCurrency(await request(month)));
    expect(reports).toEqual([
      { month: "1997-01", currency: "RUB", lines: [{ service: "\u001b[2Jevil", revenue: "0.07", count: 1 }], total: "0.07" },
      { month: "1997-01", currency: "USD", lines: [{ service: "unassigned", revenue: "299060.17", count: 2 }], total: "299060.17" },
      { month: "1997-03", currency: "USD", lines: [{ service: "unassigned", revenue: "0.05", count: 1 }], total: "0.05" },
    ]);
    expect(JSON.stringify(reports[1])).toBe(
      '{"month":"1997-01","currency":"USD","lines":[{"service":"unassigned","revenue":"299060.17","count":2}],"total":"299060.17"}',
    );
  });

  it("shows a table with the link to the CSV, and nothing that moves the terminal's cursor", async () => {
    const text = renderReport(await request("1997-01"), "http://127.0.0.1:8080/api/v1/reports/revenue/1997-01.csv?version=2");
    expect(text).toContain("unassigned");
    expect(text).toContain("299060.17");
    expect(text).toContain("CSV: http://127.0.0.1:8080/api/v1/reports/revenue/1997-01.csv?version=2");
    expect(text).not.toContain("\u001b");
  });

  it("says so when the report was given up or is not there in time", async () => {
    make = ({ month, version }) => failReport(database.db, { month, version, code: "INTERNAL" });
    await expect(request("1997-02")).rejects.toThrow("the report of 1997-02 was given up (INTERNAL)");
    make = () => Promise.resolve();
    await expect(makeReport(client, { month: "1997-04", timeoutMs: 1, onStage: () => undefined })).rejects.toThrow("is still being made");
    make = makeAtOnce;
  });

  it("passes on what the API says of a month that cannot be reported", async () => {
    await expect(request("2199-01")).rejects.toThrow("422 INVALID_MONTH");
    await expect(request("1997-13")).rejects.toThrow("422 INVALID_MONTH");
  });
});

describe("the CSV over HTTP", () => {
  it("is the file whose hash the version shows, and takes another delimiter and a header", async () => {
    const report = await request("1997-03");
    const plain = await api.call("GET", report.links.csv);
    expect(plain.text).toBe("unassigned;0.05\n");
    expect(createHash("sha256").update(plain.text).digest("hex")).toBe(report.sha256);
    expect((await api.call("GET", "/api/v1/reports/revenue/1997-03.csv?delimiter=,&header=true")).text).toBe(
      "service_name,revenue\nunassigned,0.05\n",
    );
  });
});
