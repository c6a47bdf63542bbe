import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { asAdmin, auditDatabase } from "../system/database.ts";
import { fillBigBooks, MONTH, revenueOfMonth } from "./big-books.ts";
import { createPlainReport } from "./plain-report.ts";

const SIZE = { users: 50, depositsEach: 5, services: 20, sales: 60, smallSales: 10 };

let database: TestDatabase;
let indexesBefore: number;

const indexes = async () => {
  const [row] = await asAdmin(
    database.adminUrl,
    async (sql) => sql`select count(*)::int as found from pg_indexes where schemaname = 'public'`,
  );
  return Number(row?.["found"]);
};

beforeAll(async () => {
  database = await createTestDatabase();
  indexesBefore = await indexes();
  await fillBigBooks(database, SIZE, () => undefined);
});

afterAll(() => database?.drop());

it("the filled books hold every invariant and have all their indexes", async () => {
  await auditDatabase(database.adminUrl);
  expect(await indexes()).toBe(indexesBefore);
});

it("the month has the revenue that is said, and the plain report adds up the same", async () => {
  const [row] = await asAdmin(
    database.adminUrl,
    async (sql) => sql`
      select (select count(*)::int from postings) as postings,
             (select sum(revenue_minor)::int from postings where to_char(effective_at, 'YYYY-MM') = ${MONTH}) as revenue`,
  );
  expect(row).toEqual({ postings: 50 * 5 + 700, revenue: revenueOfMonth(SIZE) });
  const file = join(tmpdir(), `saldo-bench-plain-${process.pid}.csv`);
  const report = await createPlainReport(database.adminUrl, { from: `${MONTH}-01T00:00:00Z`, to: "2025-12-01T00:00:00Z" });
  expect((await report.make(file)).revenueMinor).toBe(revenueOfMonth(SIZE));
  rmSync(file);
});

it("the audit finds a balance that the filled books do not have", async () => {
  await asAdmin(database.adminUrl, (sql) => sql`update accounts set balance_minor = balance_minor + 1 where owner = 'user-7'`);
  await expect(auditDatabase(database.adminUrl)).rejects.toThrow(/the books are wrong/);
});
