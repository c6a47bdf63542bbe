import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Principal } from "../../src/contract/identity.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;
let principal: Principal = { subject: "root", roles: ["admin"] };

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, authenticator: { authenticate: async () => principal } });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

const get = (user: string) => api.call("GET", `/api/v1/users/${encodeURIComponent(user)}`);
const remove = (user: string) => api.call("DELETE", `/api/v1/users/${encodeURIComponent(user)}`);
const move = (user: string, kind: "deposits" | "withdrawals", amount: string, currency = "RUB") =>
  api.call("POST", `/api/v1/balances/${encodeURIComponent(user)}/${kind}`, { body: { amount, currency } });

describe("users over HTTP", () => {
  test("are known from their first money on", async () => {
    expect((await get("анна")).body["code"]).toBe("USER_NOT_FOUND");
    const first = await move("анна", "deposits", "5");
    await move("анна", "deposits", "5");
    expect((await get("анна")).body).toEqual({ userId: "анна", since: first.body["recordedAt"] });
  });

  test("are deleted when nothing is left, once, and come back with money", async () => {
    await move("gone", "deposits", "5");
    const refused = await remove("gone");
    expect([refused.status, refused.body["code"]]).toEqual([409, "USER_IN_USE"]);
    await move("gone", "withdrawals", "5");
    const done = await remove("gone");
    expect([done.status, done.body]).toMatchObject([200, { userId: "gone", sessionsEnded: 0 }]);
    expect(done.body).not.toHaveProperty("login");
    expect([(await get("gone")).status, (await remove("gone")).status]).toEqual([404, 404]);
    expect((await api.call("GET", "/api/v1/balances/gone/operations")).body["operations"]).toHaveLength(2);
    await move("gone", "deposits", "1");
    expect((await get("gone")).status).toBe(200);
  });

  test("a deletion and deposits at the same moment never leave money with nobody", async () => {
    await move("race", "deposits", "1");
    await move("race", "withdrawals", "1");
    const [removal, ...deposits] = await Promise.all([
      remove("race"),
      ...Array.from({ length: 20 }, (_, place) => move("race", "deposits", "1", place % 2 === 0 ? "RUB" : "USD")),
    ]);
    expect([200, 409]).toContain(removal?.status);
    expect(new Set(deposits.map(({ status }) => status))).toEqual(new Set([201]));
    expect((await get("race")).status).toBe(200);
    expect((await remove("race")).body["code"]).toBe("USER_IN_USE");
  });

  test("only admins delete, only services and admins ask", async () => {
    principal = { subject: "shop", roles: ["service"] };
    expect([(await get("race")).status, (await remove("race")).status]).toEqual([200, 403]);
    principal = { subject: "race", roles: ["user"] };
    expect([(await get("race")).status, (await remove("race")).status]).toEqual([403, 403]);
    principal = { subject: "root", roles: ["admin"] };
  });
});
