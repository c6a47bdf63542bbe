import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Log } from "../../src/adapters/log.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const SPELLINGS = ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"];
const RIGHT = "order 42 of 2026-11-21, phone 8 800 555-35-35";

let database: TestDatabase;
let api: TestApi;
const lines: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const write = (fields: object, message: string) => void lines.push(JSON.stringify(fields) + message);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  api = createTestApi({ databaseUrl: database.appUrl, log });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

const order = { userId: "u", items: [{ serviceId: "s", amount: "1.00" }] };
const reservation = { userId: "u", serviceId: "s", orderId: "o", amount: "1.00" };

/** Every free text that is kept, with the pointer to it. */
const PLACES: readonly (readonly [string, string, (text: string) => object, string])[] = [
  ["POST", "/api/v1/balances/u/deposits", (comment) => ({ amount: "1.00", comment }), "/comment"],
  ["POST", "/api/v1/orders", (comment) => ({ ...order, comment }), "/comment"],
  ["POST", "/api/v1/orders/o/cancel", (reason) => ({ reason }), "/reason"],
  ["POST", "/api/v1/reservations", (comment) => ({ ...reservation, comment }), "/comment"],
  ["POST", "/api/v1/services", (name) => ({ name }), "/name"],
  ["POST", "/api/v1/services", (name) => ({ services: [{ name: "a" }, { name }] }), "/services/1/name"],
];

describe("a text that is kept", () => {
  it.each(PLACES)(
    "%s %s is refused with a card number in it, and the number is neither answered nor logged (%#)",
    async (method, path, bodyOf, pointer) => {
      for (const spelling of SPELLINGS) {
        const answer = await api.call(method, path, { body: bodyOf(`paid by ${spelling}`) });
        expect(answer.body, spelling).toMatchObject({ status: 422, code: "CARD_DATA_REFUSED", errors: [{ pointer }] });
        expect(answer.text).not.toContain(spelling);
      }
      expect(lines.join("\n")).not.toMatch(/4111.?1111/);
    },
  );

  it.each(PLACES)("%s %s takes words and other numbers (%#)", async (method, path, bodyOf) => {
    expect((await api.call(method, path, { body: bodyOf(RIGHT) })).body["code"]).not.toBe("CARD_DATA_REFUSED");
  });
});

describe("an id or an amount", () => {
  it("that passes Luhn by chance is an id or an amount", async () => {
    const answer = await api.call("POST", `/api/v1/balances/${SPELLINGS[0]}/deposits`, {
      body: { amount: "1.00" },
      key: "4111111111111111",
    });
    expect(answer.status).toBe(201);
    expect((await api.call("POST", "/api/v1/services", { body: { id: "5555555555554444", name: "by number" } })).status).toBe(201);
    expect((await api.call("POST", "/api/v1/balances/u/deposits", { body: { amount: "4111111111111111" } })).body["code"]).toBe(
      "INVALID_AMOUNT",
    );
  });
});
