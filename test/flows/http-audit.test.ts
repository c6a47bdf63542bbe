import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { insertSelfAudit } from "../../src/store/operators/self-audits.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

describe("the audit over HTTP", () => {
  test("tells each invariant, when it was asked and how long it took", async () => {
    await api.call("POST", "/api/v1/balances/anna/deposits", { body: { amount: "1" } });
    const answers = await Promise.all([1, 2, 3].map(() => api.call("GET", "/api/v1/audit")));
    const [first] = answers;
    expect(first?.status).toBe(200);
    expect(first?.body["ok"]).toBe(true);
    const findings = first?.body["findings"] as { invariant: string }[];
    expect(findings.map(({ invariant }) => invariant).slice(0, 4)).toEqual(["I1", "I2", "I3", "I4"]);
    expect(first?.body["durationMs"]).toBeTypeOf("number");
    expect(new Set(answers.map(({ body }) => body["startedAt"])).size).toBe(1);
  });

  test("tells what the last self-audit found, once there was one", async () => {
    const finding = { check: "C1", title: "t", level: "warning", checked: "2", broken: "0", repaired: "1", examples: ["one"] } as const;
    const before = await api.call("GET", "/api/v1/audit");
    await insertSelfAudit(api.db, { ok: true, findings: [finding] });
    const after = await api.call("GET", "/api/v1/audit");

    expect(before.body["lastSelfAudit"]).toBeUndefined();
    expect(after.body["lastSelfAudit"]).toMatchObject({ ok: true, findings: [finding] });
  });

  test("tells what is broken with status 200: the question was answered", async () => {
    const sql = postgres(database.adminUrl, { max: 1, onnotice: () => {} });
    await sql`update accounts set balance_minor = balance_minor + 1 where owner = 'anna' and kind = 'available'`;
    await sql.end();
    const { status, body } = await api.call("GET", "/api/v1/audit");
    expect([status, body["ok"]]).toEqual([200, false]);
    expect(body["findings"]).toMatchObject([
      { invariant: "I1", ok: false },
      { invariant: "I2", ok: false, broken: "1", examples: [expect.stringContaining("has balance 101")] },
      { invariant: "I3", ok: true },
      { invariant: "I4", ok: true },
      { invariant: "I5", ok: true },
      { invariant: "I6", ok: true },
    ]);
  });
});
