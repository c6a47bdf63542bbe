import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Log } from "../../src/adapters/log.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const SPELLINGS = ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"];
const RIGHT = "order 42 of 2026-11-21, phone 8 800 555-35-35, IMEI 356938035643809, invoice 1000000000000008, at 1763720640103";

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
  ["POST", "/api/v1/balances/u/withdrawals", (comment) => ({ amount: "1.00", comment }), "/comment"],
  ["POST", "/api/v1/transfers", (comment) => ({ fromUserId: "u", toUserId: "v", amount: "1.00", comment }), "/comment"],
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
    });
    expect(answer.status).toBe(201);
    expect(lines.join("\n")).not.toContain(SPELLINGS[0]);
    expect((await api.call("POST", "/api/v1/services", { body: { id: "5555555555554444", name: "by number" } })).status).toBe(201);
    expect((await api.call("POST", "/api/v1/balances/u/deposits", { body: { amount: "4111111111111111" } })).body["code"]).toBe(
      "INVALID_AMOUNT",
    );
  });
});

describe("a header that is kept", () => {
  const NUMBER = "4111111111111111";
  const deposit = (headers: Record<string, string>, key?: string) =>
    api.call("POST", "/api/v1/balances/u/deposits", { body: { amount: "1.00" }, headers, ...(key === undefined ? {} : { key }) });

  it("is replaced when it is a correlation or request id with a card number in it", async () => {
    for (const id of [NUMBER, `order-${NUMBER}`, "4111-1111-1111-1111"]) {
      const answer = await deposit({ "x-correlation-id": id, "x-request-id": id });
      expect(answer.status).toBe(201);
      for (const name of ["x-correlation-id", "x-request-id"]) expect(answer.headers.get(name), name).toMatch(/^[0-9a-f-]{36}$/);
      expect(lines.join("\n")).not.toContain(id);
    }
  });

  it("is refused when it is an Idempotency-Key with a card number in it, and the number is not given back", async () => {
    const answer = await deposit({}, `pay-${NUMBER}`);
    expect(answer.body).toMatchObject({ status: 422, code: "CARD_DATA_REFUSED", errors: [{ pointer: "Idempotency-Key" }] });
    expect(answer.text + lines.join("\n")).not.toContain(NUMBER);
  });

  it("is taken when a machine made it, whatever its digits are by chance", async () => {
    const id = `41111111-1111-1111-8abc-${"0".repeat(12)}`;
    const answer = await deposit({ "x-correlation-id": id }, `${NUMBER}abcdef0123456789`);
    expect([answer.status, answer.headers.get("x-correlation-id")]).toEqual([201, id]);
  });
});
