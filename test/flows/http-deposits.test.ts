import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
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

const available = async (user: string, currency = "RUB") =>
  (await api.call("GET", `/api/v1/balances/${encodeURIComponent(user)}?currency=${currency}`)).body["available"];

describe("deposits over HTTP", () => {
  test("a deposit is seen by the next read, with the parts of the balance apart", async () => {
    const deposit = await api.call("POST", "/api/v1/balances/anna/deposits", { body: { amount: "100.50" } });
    expect(deposit.status).toBe(201);
    expect(deposit.body).toMatchObject({ userId: "anna", amount: "100.50", currency: "RUB", status: "done" });
    const balance = await api.call("GET", "/api/v1/balances/anna?currency=RUB");
    expect(balance.body).toMatchObject({ userId: "anna", currency: "RUB", available: "100.50", held: "0.00", total: "100.50" });
  });

  test("a user nobody has heard of has zeros", async () => {
    expect((await api.call("GET", "/api/v1/balances/nobody?currency=JPY")).body).toMatchObject({ available: "0", held: "0", total: "0" });
    expect((await api.call("GET", "/api/v1/balances/nobody")).body["balances"]).toEqual([
      { currency: "RUB", available: "0.00", held: "0.00", total: "0.00" },
    ]);
  });

  test("without a currency every currency of the user is listed", async () => {
    for (const [amount, currency] of [
      ["5", "USD"],
      ["7", "JPY"],
      ["1.234", "BHD"],
    ])
      await api.call("POST", "/api/v1/balances/many/deposits", { body: { amount, currency } });
    expect((await api.call("GET", "/api/v1/balances/many")).body["balances"]).toEqual([
      { currency: "BHD", available: "1.234", held: "0.000", total: "1.234" },
      { currency: "JPY", available: "7", held: "0", total: "7" },
      { currency: "USD", available: "5.00", held: "0.00", total: "5.00" },
    ]);
  });

  test("a repeat answers the first result and moves nothing", async () => {
    const send = () => api.call("POST", "/api/v1/balances/bob/deposits", { key: "bob-1", body: { amount: "10" } });
    const first = await send();
    const second = await send();
    expect(second.status).toBe(201);
    expect(second.body).toEqual(first.body);
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(await available("bob")).toBe("10.00");
  });

  test("a hundred requests with one key at once are one deposit", async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => api.call("POST", "/api/v1/balances/carl/deposits", { key: "carl-1", body: { amount: "3" } })),
    );
    expect(new Set(answers.map(({ body }) => body["operationId"])).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get("idempotency-replayed") === null)).toHaveLength(1);
    expect(await available("carl")).toBe("3.00");
  });

  test("a hundred deposits at once are all there", async () => {
    await Promise.all(Array.from({ length: 100 }, () => api.call("POST", "/api/v1/balances/hot/deposits", { body: { amount: "0.01" } })));
    expect(await available("hot")).toBe("1.00");
  });

  test.each([
    ["another amount", "/api/v1/balances/dora/deposits", { amount: "6" }],
    ["another currency", "/api/v1/balances/dora/deposits", { amount: "5", currency: "USD" }],
    ["another user", "/api/v1/balances/dorb/deposits", { amount: "5" }],
  ])("the same key with %s is refused", async (_what, path, body) => {
    await api.call("POST", "/api/v1/balances/dora/deposits", { key: "dora-1", body: { amount: "5" } });
    const other = await api.call("POST", path, { key: "dora-1", body });
    expect(other.status).toBe(422);
    expect(other.body).toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
    expect(await available("dora")).toBe("5.00");
    expect(await available("dorb")).toBe("0.00");
  });

  test.each(["100.10", "0.07", "9999999999.99", "4503599627370497"])(
    "the JSON number %s is taken digit by digit or refused, never rounded",
    async (raw) => {
      const user = `digits-${raw}`;
      const answer = await api.call("POST", `/api/v1/balances/${user}/deposits`, { rawBody: `{"amount":${raw}}` });
      if (answer.status === 422) expect(await available(user)).toBe("0.00");
      else expect(answer.body["amount"]).toBe(raw);
      expect(answer.status).toBe(raw.length < 16 ? 201 : 422);
    },
  );

  test.each([
    "0",
    "-1",
    "-0",
    "1.005",
    "1e3",
    '"1e3"',
    '"0"',
    '"-1"',
    '"+1"',
    '" 1"',
    '"1,5"',
    '"0x10"',
    '"NaN"',
    '""',
    '"٣"',
    "9223372036854775808",
    `"${"9".repeat(1_000)}"`,
  ])("the amount %s is refused and names its place", async (raw) => {
    const answer = await api.call("POST", "/api/v1/balances/eva/deposits", { rawBody: `{"amount":${raw}}` });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: "INVALID_AMOUNT", errors: [{ pointer: "/amount" }] });
  });

  test("a balance beyond what can be kept is refused, and nothing is written", async () => {
    const largest = {
      key: "largest",
      userId: "rich",
      currency: "CNY",
      amountMinor: 2n ** 63n - 1n,
      comment: "more than one request may carry",
      origin: { caller: "test", correlationId: "test" },
    };
    expect((await api.ledger.post(depositOperation(largest))).outcome).toBe("done");
    const refused = await api.call("POST", "/api/v1/balances/rich/deposits", { body: { amount: "0.02", currency: "CNY" } });
    expect([refused.status, refused.body["code"]]).toEqual([422, "INVALID_AMOUNT"]);
    expect(await available("rich", "CNY")).toBe("92233720368547758.07");
  });

  test.each(["rub", "XXX", "", "RUBB", "__proto__"])("the currency %j is refused", async (currency) => {
    const answer = await api.call("POST", "/api/v1/balances/eva/deposits", { body: { amount: "1", currency } });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: "INVALID_CURRENCY", errors: [{ pointer: "/currency" }] });
  });

  test.each(["'; drop table accounts; --", "анна", "😀", "\u202Eabc", "e\u0301", "\u00e9", "a/b", "%2e"])(
    "the user %j is kept exactly",
    async (user) => {
      const deposit = await api.call("POST", `/api/v1/balances/${encodeURIComponent(user)}/deposits`, { body: { amount: "2" } });
      expect(deposit.body["userId"]).toBe(user);
      expect(await available(user)).toBe("2.00");
    },
  );

  test.each([
    ["no key", null, "IDEMPOTENCY_KEY_REQUIRED"],
    ["a key that is too long", "k".repeat(256), "INVALID_IDEMPOTENCY_KEY"],
    ["a key with a space", "a b", "INVALID_IDEMPOTENCY_KEY"],
    ["an empty key", "", "INVALID_IDEMPOTENCY_KEY"],
  ])("%s is refused", async (_what, key, code) => {
    const answer = await api.call("POST", "/api/v1/balances/eva/deposits", { key, body: { amount: "1" } });
    expect(answer.status).toBe(400);
    expect(answer.body["code"]).toBe(code);
  });
});
