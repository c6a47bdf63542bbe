import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { purchaseOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

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
  let made: Record<string, unknown> = {};
  await until(`the report of ${month} is made`, async () => {
    made = (await api.call("GET", path)).body;
    return made["status"] !== "running";
  });
  return made;
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
    const marked = await api.app.request("/api/v1/reports/revenue/2020-03.csv?bom=true");
    expect(Buffer.from(await marked.arrayBuffer()).toString()).toBe(`\uFEFF${csv.text}`);
    expect((await api.call("GET", "/api/v1/reports/revenue/2020-03.csv?bom=1")).body["code"]).toBe("INVALID_REQUEST");
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

  test("two versions are compared line by line", async () => {
    await sell("d1", "plain", 1_000n, "2018-03-05T00:00:00Z");
    await sell("d2", "formula", 200n, "2018-03-05T00:00:00Z");
    await report("2018-03");
    await sell("d3", "plain", 500n, "2018-03-06T00:00:00Z");
    await sell("d4", "plain", 7n, "2018-03-06T00:00:00Z", "USD");
    await report("2018-03");
    const diff = (query: string) => api.call("GET", `/api/v1/reports/revenue/2018-03/diff${query}`);
    const line = { currency: "RUB", serviceId: "plain", serviceName: "Plain" };
    expect((await diff("?from=1&to=2")).body).toEqual({
      month: "2018-03",
      from: 1,
      to: 2,
      added: [{ ...line, currency: "USD", revenue: "0.07", count: 1 }],
      removed: [],
      changed: [{ ...line, from: { revenue: "10.00", count: 1 }, to: { revenue: "15.00", count: 2 }, difference: "5.00" }],
      totals: [
        { currency: "RUB", from: "12.00", to: "17.00", difference: "5.00" },
        { currency: "USD", from: "0.00", to: "0.07", difference: "0.07" },
      ],
    });
    expect((await diff("?from=2&to=1")).body).toMatchObject({
      added: [],
      removed: [{ currency: "USD" }],
      totals: [{ difference: "-5.00" }, {}],
    });
    expect((await diff("?from=2&to=2")).body).toMatchObject({ added: [], removed: [], changed: [] });
    expect((await diff("?from=1&to=9")).body["code"]).toBe("REPORT_NOT_FOUND");
    expect((await diff("?from=1")).body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer: "to" }] });
    expect((await diff("?from=0&to=1")).body["code"]).toBe("INVALID_REQUEST");
  });

  test("a refund is negative revenue in the month it happens, and no sale", async () => {
    await sell("r1", "plain", 1_000n, "2017-03-05T00:00:00Z");
    await api.ledger.post({
      key: "r2",
      kind: "refund",
      currency: "RUB",
      userId: "anna",
      serviceId: "plain",
      effectiveAt: "2017-04-02T00:00:00Z",
      comment: "refund",
      origin: { caller: "test", correlationId: "c" },
      postings: [{ debit: { kind: "revenue", owner: "plain" }, credit: { kind: "available", owner: "anna" }, amountMinor: 400n }],
    });
    expect((await report("2017-03"))["totals"]).toEqual([{ currency: "RUB", revenue: "10.00" }]);
    expect((await report("2017-04"))["lines"]).toEqual([
      { currency: "RUB", serviceId: "plain", serviceName: "Plain", revenue: "-4.00", count: 0 },
    ]);
    expect((await api.call("GET", "/api/v1/reports/revenue/2017-04.csv")).text).toBe("Plain;-4.00\n");
  });
});

describe("the test clock of the report's month", () => {
  const thisMonth = new Intl.DateTimeFormat("sv-SE", { timeZone: "Europe/Moscow", year: "numeric", month: "2-digit" }).format(new Date());
  const close = (month: string) => api.call("POST", `/api/v1/test-clock/reports/${month}`);
  const untilMade = async (month: string, version: number) => {
    let made: Record<string, unknown> = {};
    await until(`version ${version} of ${month} is made`, async () => {
      made = (await api.call("GET", `/api/v1/reports/revenue/${month}?version=${version}`)).body;
      return made["status"] === "completed";
    });
    return made;
  };

  test("closes a month that still runs as if it were over; what is sold later is in the next version", async () => {
    await sell("now-1", "plain", 1_000n, new Date().toISOString());
    expect((await close(thisMonth)).status).toBe(202);
    const first = await untilMade(thisMonth, 1);
    expect(first).toMatchObject({ partial: false, codeVersion: "0.0.0-test", totals: [{ currency: "RUB", revenue: "10.00" }] });
    await sell("now-2", "plain", 500n, new Date().toISOString());
    await close(thisMonth);
    expect(await untilMade(thisMonth, 2)).toMatchObject({ partial: false, totals: [{ currency: "RUB", revenue: "15.00" }] });
    const diff = await api.call("GET", `/api/v1/reports/revenue/${thisMonth}/diff?from=1&to=2`);
    expect(diff.body["totals"]).toEqual([{ currency: "RUB", from: "10.00", to: "15.00", difference: "5.00" }]);
  });

  test("closes a month that has not begun, which nothing else can", async () => {
    expect((await api.call("POST", "/api/v1/reports/revenue", { body: { month: "2999-01" } })).body["code"]).toBe("INVALID_MONTH");
    await close("2999-01");
    expect(await untilMade("2999-01", 1)).toMatchObject({ partial: false, lines: [] });
    expect((await close("2999-13")).body["code"]).toBe("INVALID_MONTH");
  });

  test("is not there in production", async () => {
    const production = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, settings: { testClock: false } });
    expect((await production.app.request(`/api/v1/test-clock/reports/${thisMonth}`, { method: "POST" })).status).toBe(404);
    await production.close();
  });
});
