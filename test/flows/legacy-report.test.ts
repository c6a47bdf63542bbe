import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createLegacyClient } from "../support/legacy-client.ts";
import { startLegacyApi, type LegacyApi } from "../support/legacy-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let legacy: LegacyApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["reports"]);
  legacy = await startLegacyApi({ databaseUrl: database.appUrl, starters: workflows.starters });
});

afterAll(async () => {
  await legacy.close();
  await workflows.close();
  await database.drop();
});

const { sell } = createLegacyClient(() => legacy);

describe("the earlier service's report", () => {
  test("one request makes it and gives its link, whose month has no zero before it", async () => {
    await legacy.send("POST", "/api/services", {
      services: [
        { id: "formula", name: "=1+1" },
        { id: "comma", name: 'a, "b"' },
        { id: "zeta", name: "Zeta" },
      ],
    });
    await sell("s1", "zeta", 16777217n, "2022-01-10T00:00:00Z");
    await sell("s2", "comma", 5n, "2022-01-11T00:00:00Z");
    await sell("s3", "formula", 100n, "2022-01-12T00:00:00Z");
    await sell("s4", "zeta", 100n, "2022-01-12T00:00:00Z", "USD");
    const made = await legacy.send("GET", "/api/report", '{"year":2022,"month":1}');
    expect([made.status, made.body]).toEqual([200, `{"report_link":"http://127.0.0.1:${legacy.port}/api/report/2022/1/report.csv"}`]);
    const file = await legacy.send("GET", "/api/report/2022/1/report.csv");
    expect(file.body).toBe(`service_name,month_amount\n'=1+1,1.00\nZeta,167772.17\n"a, ""b""",0.05\n`);
    expect(file.headers).toMatchObject({ "content-type": "text/csv; charset=utf-8", "x-report-version": "1", "x-report-partial": "false" });
    expect((await legacy.send("GET", "/api/report/2022/01/report.csv")).body).toBe(file.body);
  });

  test("POST, a slash at the end and the query do the same, and the Host header does not lead the link away", async () => {
    const link = `{"report_link":"http://127.0.0.1:${legacy.port}/api/report/2022/2/report.csv"}`;
    expect((await legacy.send("POST", "/api/report", '{"year":2022,"month":2}')).body).toBe(link);
    expect((await legacy.send("POST", "/api/report/", '{"year":2022,"month":2}')).body).toBe(link);
    expect((await legacy.send("GET", "/api/report?year=2022&month=2", undefined, { host: "evil.example" })).body).toBe(link);
    expect((await legacy.send("GET", "/api/report/2022/2/report.csv")).body).toBe("service_name,month_amount\n");
    const configured = await startLegacyApi({
      databaseUrl: database.appUrl,
      starters: workflows.starters,
      settings: { serverUrl: "https://pay.example" },
    });
    const answer = await configured.send("POST", "/api/report", '{"year":2022,"month":2}');
    await configured.close();
    expect(answer.body).toBe('{"report_link":"https://pay.example/api/report/2022/2/report.csv"}');
  });

  test("a report that takes longer than a request waits is promised with 202", async () => {
    const slow = await startLegacyApi({
      databaseUrl: database.appUrl,
      starters: { startReport: async () => ({ workflowId: "w", alreadyStarted: false, outcome: async () => undefined }) },
    });
    const answer = await slow.send("GET", "/api/report?year=2021&month=3");
    expect(answer.status).toBe(202);
    expect((await slow.send("GET", "/api/report/2021/3/report.csv")).status).toBe(404);
    await slow.close();
  });

  test.each([
    ["GET", "/api/report", '{"year":2022,"month":13}'],
    ["GET", "/api/report", '{"year":2022,"month":0}'],
    ["POST", "/api/report", '{"year":2199,"month":1}'],
    ["GET", "/api/report/2022/13/report.csv", undefined],
    ["GET", "/api/report/2022/0/report.csv", undefined],
  ])("%s %s %s is a wrong month", async (method, path, body) => {
    const answer = await legacy.send(method, path, body);
    expect([answer.status, answer.body]).toEqual([400, '{"message":"wrong month input"}']);
  });

  test("a report that was not made is the only 404, and it has words", async () => {
    const answer = await legacy.send("GET", "/api/report/2020/5/report.csv");
    expect([answer.status, answer.body]).toEqual([404, '{"message":"the report of this month was not created"}']);
  });

  test("HEAD makes no report", async () => {
    expect((await legacy.send("HEAD", "/api/report?year=2020&month=6")).status).toBe(405);
    expect((await legacy.send("GET", "/api/report/2020/6/report.csv")).status).toBe(404);
  });
});
