import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { purchaseOperation } from "../../src/domain/wallet-operations.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["reports"]);
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  await api.call("POST", "/api/v1/services", {
    body: {
      services: [
        { id: "plain", name: "Plain" },
        { id: "formula", name: '=HYPERLINK("x";1)' },
      ],
    },
  });
});

afterAll(async () => {
  await api.close();
  await workflows.close();
  await database.drop();
});

const sell = (key: string, serviceId: string, amountMinor: bigint, occurredAt: string, currency = "RUB") =>
  api.ledger.post(
    purchaseOperation({
      key,
      userId: "anna",
      currency,
      amountMinor,
      comment: "a sale",
      origin: { caller: "test", correlationId: "c" },
      paymentMethod: "credit_card",
      occurredAt,
      serviceId,
    }),
  );

async function report(month: string): Promise<Record<string, unknown>> {
  const started = await api.call("POST", "/api/v1/reports/revenue", { body: { month } });
  expect(started.status).toBe(202);
  const path = started.headers.get("location") ?? "";
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const { body } = await api.call("GET", path);
    if (body["status"] !== "running") return body;
    await sleep(50);
  }
  throw new Error(`the report of ${month} is not made`);
}

describe("revenue reports over HTTP", () => {
  test("a month is added up per service, with its links, hash and watermark", async () => {
    await sell("s1", "plain", 10_050n, "2020-03-01T12:00:00Z");
    await sell("s2", "plain", 1n, "2020-03-15T12:00:00Z");
    await sell("s3", "formula", 500n, "2020-03-15T12:00:00Z");
    // 1 April in Moscow already.
    await sell("s4", "plain", 700n, "2020-03-31T21:00:00Z");
    const body = await report("2020-03");
    expect(body).toMatchObject({
      month: "2020-03",
      version: 1,
      status: "completed",
      partial: false,
      totals: [{ currency: "RUB", revenue: "105.51" }],
    });
    expect(body["lines"]).toEqual([
      { currency: "RUB", serviceId: "formula", serviceName: '=HYPERLINK("x";1)', revenue: "5.00", count: 1 },
      { currency: "RUB", serviceId: "plain", serviceName: "Plain", revenue: "100.51", count: 2 },
    ]);
    expect(body["sha256"]).toMatch(/^[0-9a-f]{64}$/);
    expect(body["watermark"]).toMatch(/^\d+:\d+:/);
  });

  test("the CSV has semicolons and no header, and a formula is only text", async () => {
    const csv = await api.call("GET", "/api/v1/reports/revenue/2020-03.csv");
    expect(csv.text).toBe(`"'=HYPERLINK(""x"";1)";5.00\nPlain;100.51\n`);
    expect(csv.headers.get("content-type")).toMatch(/^text\/csv; charset=utf-8/);
    expect(csv.headers.get("content-disposition")).toBe('attachment; filename="revenue-2020-03-v1.csv"');
    expect(csv.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await api.call("GET", "/api/v1/reports/revenue/2020-03.csv?delimiter=comma&header=true&version=1")).text.split("\n")[0]).toBe(
      "service_name,revenue",
    );
    expect((await api.call("GET", "/api/v1/reports/revenue/2020-03.csv?delimiter=pipe")).body["code"]).toBe("INVALID_REQUEST");
  });

  test("a version never changes; what was sold later is in the next one", async () => {
    const before = await report("2020-05");
    await sell("late", "plain", 300n, "2020-05-02T00:00:00Z");
    const after = await report("2020-05");
    expect([before["version"], after["version"]]).toEqual([1, 2]);
    expect((await api.call("GET", "/api/v1/reports/revenue/2020-05?version=1")).body["lines"]).toEqual([]);
    const newest = await api.call("GET", "/api/v1/reports/revenue/2020-05");
    expect(newest.body["totals"]).toEqual([{ currency: "RUB", revenue: "3.00" }]);
    expect((newest.body["versions"] as { version: number }[]).map(({ version }) => version)).toEqual([2, 1]);
  });

  test("requests at once join one version", async () => {
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => api.call("POST", "/api/v1/reports/revenue", { body: { month: "2020-07" } })),
    );
    expect(new Set(answers.map(({ body }) => body["version"])).size).toBeLessThanOrEqual(2);
    expect(answers.every(({ status }) => status === 202)).toBe(true);
  });

  test("months with revenue are listed with their newest version", async () => {
    await sell("usd", "plain", 100n, "2019-12-31T12:00:00Z", "USD");
    const { body } = await api.call("GET", "/api/v1/reports/revenue");
    const months = body["months"] as { month: string; newest?: { version: number } }[];
    expect(months.map(({ month }) => month)).toEqual(["2019-12", "2020-03", "2020-04", "2020-05"]);
    expect(months[0]?.newest).toBeUndefined();
    expect(months[3]?.newest?.version).toBe(2);
  });

  test("what was never made is not found", async () => {
    expect((await api.call("GET", "/api/v1/reports/revenue/2001-01")).body["code"]).toBe("REPORT_NOT_FOUND");
    expect((await api.call("GET", "/api/v1/reports/revenue/2001-01.csv")).body["code"]).toBe("REPORT_NOT_FOUND");
    expect((await api.call("GET", "/api/v1/reports/revenue/2020-03?version=9")).body["code"]).toBe("REPORT_NOT_FOUND");
  });
});
