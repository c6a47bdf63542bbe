import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

const balance = (user: string, query = "?currency=RUB") => api.call("GET", `/api/v1/balances/${user}${query}`);
const deposit = (user: string, amount: string, currency = "RUB") =>
  api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount, currency } });
const withdraw = (user: string, body: unknown, key?: string) =>
  api.call("POST", `/api/v1/balances/${user}/withdrawals`, { body, ...(key === undefined ? {} : { key }) });

describe("withdrawals over HTTP", () => {
  test("money leaves the available balance", async () => {
    await deposit("anna", "100.50");
    const answer = await withdraw("anna", { amount: "0.50", comment: "to the bank" });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ userId: "anna", amount: "0.50", currency: "RUB", status: "done" });
    expect(answer.body["operationId"]).toMatch(/^\d+$/);
    expect((await balance("anna")).body).toMatchObject({ available: "100.00", held: "0.00", total: "100.00" });
  });

  test("more than there is is refused, and stays refused under its key when money has come", async () => {
    await deposit("poor", "1");
    const first = await withdraw("poor", { amount: "1.01" }, "poor-1");
    expect([first.status, first.body["code"]]).toEqual([422, "INSUFFICIENT_FUNDS"]);
    await deposit("poor", "10");
    expect((await withdraw("poor", { amount: "1.01" }, "poor-1")).body["code"]).toBe("INSUFFICIENT_FUNDS");
    expect((await balance("poor")).body["available"]).toBe("11.00");
  });

  test("a repeat is byte for byte the first answer, marked as replayed, and moves nothing", async () => {
    await deposit("bob", "10");
    const first = await withdraw("bob", { amount: "3" }, "bob-1");
    const again = await withdraw("bob", { amount: "3" }, "bob-1");
    expect(again.text).toBe(first.text);
    expect([first.headers.get("idempotency-replayed"), again.headers.get("idempotency-replayed")]).toEqual([null, "true"]);
    expect((await balance("bob")).body["available"]).toBe("7.00");
  });

  test("the key is needed, and belongs to one content and one route", async () => {
    await deposit("key", "10");
    expect((await api.call("POST", "/api/v1/balances/key/withdrawals", { key: null, body: { amount: "1" } })).body["code"]).toBe(
      "IDEMPOTENCY_KEY_REQUIRED",
    );
    await withdraw("key", { amount: "1" }, "key-1");
    expect((await withdraw("key", { amount: "2" }, "key-1")).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
    expect((await api.call("POST", "/api/v1/balances/key/deposits", { key: "key-1", body: { amount: "1" } })).status).toBe(201);
  });

  test.each(["0", "-1", "1e3", '"NaN"', "9223372036854775808", `"${"9".repeat(1_000)}"`, '"1.005"'])(
    "the amount %s is refused and names its place",
    async (raw) => {
      const answer = await api.call("POST", "/api/v1/balances/eva/withdrawals", { rawBody: `{"amount":${raw}}` });
      expect(answer.status).toBe(422);
      expect(answer.body).toMatchObject({ code: "INVALID_AMOUNT", errors: [{ pointer: "/amount" }] });
    },
  );

  test("a comment that holds a card number is refused and nothing of it comes back", async () => {
    const answer = await withdraw("anna", { amount: "1", comment: "card 4242 4242 4242 4242" });
    expect(answer.body).toMatchObject({ code: "CARD_DATA_REFUSED", errors: [{ pointer: "/comment" }] });
    expect(answer.text).not.toContain("4242");
  });
});

describe("a balance at a moment in the past", () => {
  test("is what it was, with every part, before, between and after", async () => {
    const before = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const first = await deposit("past", "10");
    await deposit("past", "3", "USD");
    await new Promise((resolve) => setTimeout(resolve, 5));
    const between = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await withdraw("past", { amount: "4" });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await balance("past", `?at=${before}`)).body).toMatchObject({
      asOf: before,
      balances: [{ currency: "RUB", available: "0.00", held: "0.00", total: "0.00" }],
    });
    expect((await balance("past", `?at=${between}`)).body["balances"]).toMatchObject([
      { currency: "RUB", available: "10.00" },
      { currency: "USD", available: "3.00" },
    ]);
    expect((await balance("past", `?at=${between}&currency=RUB`)).body).toMatchObject({ available: "10.00", asOf: between });
    expect((await balance("past", `?at=${new Date().toISOString()}&currency=RUB`)).body["available"]).toBe("6.00");
    expect(String(first.body["recordedAt"]) <= between).toBe(true);
  });

  test.each([
    ["in the future", new Date(Date.now() + 3_600_000).toISOString()],
    ["that is no time", "yesterday"],
    ["without an offset", "2026-01-01T00:00:00"],
    ["before 1970", "1969-12-31T23:59:59Z"],
    ["of a day there is not", "2025-02-30T00:00:00Z"],
  ])("a moment %s is refused", async (_what, at) => {
    const answer = await balance("past", `?at=${encodeURIComponent(at)}`);
    expect([answer.status, answer.body["code"]]).toEqual([400, "INVALID_REQUEST"]);
    expect(answer.body["errors"]).toMatchObject([{ pointer: "at" }]);
  });

  test("any offset a time may have is understood", async () => {
    for (const at of ["2020-01-01T00:00:00+23:59", "2020-01-01T00:00:00-23:59", "2020-01-01T00:00:00.123456789Z"])
      expect((await balance("past", `?at=${encodeURIComponent(at)}&currency=RUB`)).body["available"]).toBe("0.00");
  });
});
