import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { monthOf } from "../../src/domain/reports/report-period.ts";
import { openReport } from "../../src/store/reports.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createLegacyClient, message } from "../support/legacy-client.ts";
import { startLegacyApi, type LegacyApi } from "../support/legacy-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const TIME_ZONE = "Europe/Moscow";

let database: TestDatabase;
let admin: postgres.Sql;
let workflows: TestWorkflows;
let legacy: LegacyApi;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = postgres(database.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  workflows = await startTestWorkflows(database.appUrl, ["orders", "reports"]);
  legacy = await startLegacyApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  await legacy.send("POST", "/api/services", { services: [{ id: 1, name: "Delivery" }] });
});

afterAll(async () => {
  await legacy.close();
  await workflows.close();
  await admin.end();
  await database.drop();
});

const { credit, reserve, sell, makeReport, file } = createLegacyClient(() => legacy);

test("B-11: sums are exact where a float of 32 bits is not, and zero has no sign", async () => {
  for (const amount of ["167772.16", "0.01", "9999999999.99"]) await credit("b11", amount);
  expect((await legacy.send("GET", "/api?id=b11")).body).toBe('{"balance":10000167772.16}');
  await credit("b11-zero", 1);
  await reserve("b11-zero", 1);
  expect((await legacy.send("GET", "/api?id=b11-zero")).body).toBe('{"balance":0}');
  for (let sale = 0; sale < 3; sale += 1) await sell(`b11-${sale}`, "1", 16_777_217n, "2021-05-10T12:00:00Z");
  await makeReport(2021, 5);
  expect((await file(2021, 5)).body).toBe("service_name,month_amount\nDelivery,503316.51\n");
});

test("B-14: a sale at the first instant of a month is in that month and in no other", async () => {
  await sell("b14-last", "1", 100n, "2021-07-31T20:59:59.999Z");
  await sell("b14-first", "1", 25n, "2021-07-31T21:00:00.000Z");
  await Promise.all([makeReport(2021, 7), makeReport(2021, 8)]);
  expect((await file(2021, 7)).body).toBe("service_name,month_amount\nDelivery,1.00\n");
  expect((await file(2021, 8)).body).toBe("service_name,month_amount\nDelivery,0.25\n");
});

test("B-15: the lines of a report stand by name, the same each time", async () => {
  const names = ["b15 delta", "b15 alpha", "b15 Echo", "b15 charlie", "b15 bravo"];
  await legacy.send("POST", "/api/services", { services: names.map((name) => ({ id: name, name })) });
  for (const name of names) await sell(`b15-${name}`, name, 100n, "2021-03-15T12:00:00Z");
  await makeReport(2021, 3);
  const first = (await file(2021, 3)).body;
  await makeReport(2021, 3);
  expect(first.split("\n").slice(1, -1)).toEqual(names.toSorted().map((name) => `${name},1.00`));
  expect((await file(2021, 3)).body).toBe(first);
});

test("B-16: a report lies in the database, and while the next one is being made the last is served whole", async () => {
  await sell("b16", "1", 100n, "2021-02-15T12:00:00Z");
  await makeReport(2021, 2);
  await openReport(legacy.api.db, { month: "2021-02", timeZone: TIME_ZONE, correlationId: "b16" });
  const elsewhere = await startLegacyApi({ databaseUrl: database.appUrl });
  const served = await file(2021, 2, elsewhere);
  await elsewhere.close();
  expect([served.status, served.headers["x-report-version"], served.body]).toEqual([
    200,
    "1",
    "service_name,month_amount\nDelivery,1.00\n",
  ]);
});

test("B-17: a month that still runs is told to be partial, and its next report has what came since", async () => {
  const now = new Date();
  const [year, month] = monthOf(now.getTime(), TIME_ZONE).split("-").map(Number) as [number, number];
  await makeReport(year, month);
  const before = await file(year, month);
  await sell("b17", "1", 12_345n, now.toISOString());
  await makeReport(year, month);
  const after = await file(year, month);
  expect([before.headers["x-report-partial"], after.headers["x-report-partial"]]).toEqual(["true", "true"]);
  expect(after.headers["x-report-version"]).not.toBe(before.headers["x-report-version"]);
  const revenue = ({ body }: { body: string }) => Math.round(Number(/^Delivery,(.*)$/m.exec(body)?.[1] ?? 0) * 100);
  expect(revenue(after) - revenue(before)).toBe(12_345);
});

test("B-18: the missing report is told in words", async () => {
  const answer = await file(2019, 1);
  expect([answer.status, message(answer)]).toEqual([404, "the report of this month was not created"]);
});

test("B-23: a report is made by POST; GET makes one as well for old clients, is not kept by caches, and HEAD makes none", async () => {
  expect((await makeReport(2018, 1)).status).toBe(200);
  const made = await legacy.send("GET", "/api/report?year=2018&month=2");
  expect([made.status, made.headers["cache-control"]]).toEqual([200, "no-store"]);
  expect((await legacy.send("HEAD", "/api/report?year=2018&month=3")).status).toBe(405);
  expect((await file(2018, 3)).status).toBe(404);
});

test("B-26: the report's statement finds a month by an index on the date of the sale", async () => {
  await admin`set enable_seqscan = off`;
  const plan = await admin.unsafe(
    "explain select service_name, sum(revenue_minor) from postings where service_id is not null and effective_at >= '2021-01-01Z' and effective_at < '2021-02-01Z' group by 1",
  );
  await admin`reset enable_seqscan`;
  const text = plan.map((row) => String(row["QUERY PLAN"])).join("\n");
  expect(text).toMatch(/postings_revenue[\s\S]*Index Cond: \(\(effective_at >=/);
});
