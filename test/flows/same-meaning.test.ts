import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { hashOf } from "../../src/base/hash.ts";
import { createFakePsp } from "../support/fake-psp.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { startLegacyApi, type LegacyApi } from "../support/legacy-system.ts";
import type { RawAnswer } from "../support/raw-http.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let admin: postgres.Sql;
let workflows: TestWorkflows;
let legacy: LegacyApi;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = postgres(database.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  const psp = createFakePsp();
  workflows = await startTestWorkflows(database.appUrl, ["orders", "payments"], SILENT_LOG, psp);
  legacy = await startLegacyApi({ databaseUrl: database.appUrl, starters: workflows.starters, psp });
  await legacy.send("POST", "/api/services", { services: [{ id: 1, name: "Delivery" }] });
});

afterAll(async () => {
  await legacy.close();
  await workflows.close();
  await admin.end();
  await database.drop();
});

let users = 1_000;
/** A user with 100 of the default currency, and a reserve of 1.5 where `reserved` is true. The number is the order's as well. */
async function newUser(reserved: boolean): Promise<number> {
  const user = (users += 1);
  await legacy.send("POST", "/api", { id: user, amount: 100 });
  if (reserved)
    await legacy.send("POST", "/api/reserve", `{"user_id":${user},"service_id":1,"order_id":${user},"amount":1.5}`, {
      "idempotency-key": `reserve-${user}`,
    });
  return user;
}
const heldOf = async (user: number) =>
  (await legacy.api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body as { held: string; available: string };
const isReplay = ({ headers }: RawAnswer) => headers["idempotency-replayed"] === "true";

const triple = (user: number, amount: string) => `{"user_id":${user},"service_id":1,"order_id":${user},"amount":${amount}}`;
const inText = (user: number, amount: string) => `{"amount":"${amount}","order_id":"${user}","service_id":"1","user_id":"${user}"}`;

describe.each([
  ["POST", "/api/reserve", false, { held: "1.50", available: "98.50" }],
  ["POST", "/api/purchase", true, { held: "0.00", available: "98.50" }],
  ["DELETE", "/api/reserve", true, { held: "0.00", available: "100.00" }],
] as const)("%s %s under a key", (method, path, reserved, after) => {
  const sendAs = (key: string) => (body: string) => legacy.send(method, path, body, { "idempotency-key": key });

  it("takes what means the same for the same, however it is written", async () => {
    const user = await newUser(reserved);
    const send = sendAs(randomUUID());
    const first = await send(triple(user, "1.5"));
    expect([first.body, isReplay(first)]).toEqual(["OK", false]);
    for (const body of [triple(user, "1.50"), triple(user, '"1.5"'), inText(user, "1.50")]) {
      const again = await send(body);
      expect([again.body, isReplay(again)], body).toEqual(["OK", true]);
    }
    expect(await heldOf(user)).toMatchObject(after);
  });

  it("refuses another amount, another order and another user", async () => {
    const user = await newUser(reserved);
    const send = sendAs(randomUUID());
    await send(triple(user, "1.5"));
    for (const body of [triple(user, "1.51"), triple(user, "15"), triple(user, "1.5").replace("order_id", "service_id"), triple(1, "1.5")])
      expect((await send(body)).status, body).toBe(400);
    expect(await heldOf(user)).toMatchObject(after);
  });

  it("finds the answer that an earlier release kept under a hash of what was written", async () => {
    const user = await newUser(reserved);
    const key = randomUUID();
    await sendAs(key)(triple(user, "1.50"));
    const asked = { user_id: String(user), service_id: "1", order_id: String(user), amount: "1.50" };
    await admin`update idempotency_answers set request_hash = ${hashOf([asked])} where key like ${`%:${key}`}`;
    const again = await sendAs(key)(triple(user, "1.50"));
    expect([again.body, isReplay(again)]).toEqual(["OK", true]);
  });
});

it("a release by its query and one by its body are one request", async () => {
  const user = await newUser(true);
  const headers = { "idempotency-key": randomUUID() };
  expect((await legacy.send("DELETE", "/api/reserve", triple(user, "1.5"), headers)).body).toBe("OK");
  const query = `user_id=${user}&service_id=1&order_id=${user}&amount=1.50`;
  const again = await legacy.send("DELETE", `/api/reserve?${query}`, undefined, headers);
  expect([again.body, isReplay(again)]).toEqual(["OK", true]);
});

it("a repeated credit says that it is a repeat, as does a reserve whose first answer was not kept", async () => {
  const user = (users += 1);
  const headers = { "idempotency-key": randomUUID() };
  const credit = (amount: string) => legacy.send("POST", "/api", `{"id":${user},"amount":${amount}}`, headers);
  expect(isReplay(await credit("7"))).toBe(false);
  const again = await credit('"7.00"');
  expect([again.body, isReplay(again)]).toEqual(["OK", true]);
  const reserve = () => legacy.send("POST", "/api/reserve", triple(user, "2"), headers);
  expect(isReplay(await reserve())).toBe(false);
  await admin`delete from idempotency_answers`;
  expect(isReplay(await reserve())).toBe(true);
  expect(await heldOf(user)).toMatchObject({ held: "2.00", available: "5.00" });
});

describe("a route of /api/v1 under a key", () => {
  const NOW = new Date(Math.floor(Date.now() / 1_000) * 1_000);
  const inMoscow = new Date(NOW.getTime() + 3 * 3_600_000).toISOString().replace(".000Z", "+03:00");
  const purchase = { username: "x", currency: "RUB", payment_method: "wallet" };
  const card = { method: "card", card: { number: "4242424242424242", expiry: "12/99", cvc: "123" } };

  it.each<[string, string, (user: string) => [object, object]]>([
    ["a deposit", "/api/v1/balances/{user}/deposits", () => [{ amount: "1.5" }, { amount: "1.50", currency: "RUB" }]],
    ["a withdrawal", "/api/v1/balances/{user}/withdrawals", () => [{ amount: "1.5" }, { amount: "1.50", currency: "RUB" }]],
    [
      "a transfer",
      "/api/v1/transfers",
      (user) => [
        { fromUserId: user, toUserId: "7", amount: "1.5" },
        { toUserId: 7, fromUserId: user, amount: "1.50" },
      ],
    ],
    [
      "a purchase",
      "/api/v1/purchases",
      (user) => [
        { ...purchase, user_id: user, amount: "1.5", transaction_date: NOW.toISOString() },
        { ...purchase, user_id: user, amount: "1.50", transaction_date: inMoscow },
      ],
    ],
    [
      "a reservation",
      "/api/v1/reservations",
      (user) => [
        { userId: user, serviceId: 1, orderId: 7, amount: "1.5", ttlSeconds: 60 },
        { userId: user, serviceId: "1", orderId: "7", amount: "1.50", ttlMs: 60_000, currency: "RUB" },
      ],
    ],
    [
      "an order",
      "/api/v1/orders",
      (user) => [
        { userId: user, items: [{ serviceId: 1, amount: "1.5" }] },
        { userId: user, items: [{ serviceId: "1", amount: "1.50", quantity: 1 }], payment: { method: "wallet" } },
      ],
    ],
    [
      "an order by card",
      "/api/v1/orders",
      (user) => [
        { userId: user, items: [{ serviceId: 1, amount: "1.5" }], payment: card },
        {
          userId: user,
          items: [{ serviceId: 1, amount: "1.50" }],
          payment: { ...card, card: { ...card.card, number: "4242 4242 4242 4242" } },
        },
      ],
    ],
    [
      "a webhook",
      "/api/v1/webhooks",
      () => [
        { url: "https://shop.example", eventTypes: ["saldo.order.*", "saldo.operation.*"] },
        { url: "https://SHOP.example/", eventTypes: ["saldo.operation.*", "saldo.order.*"], description: "" },
      ],
    ],
    [
      "a service",
      "/api/v1/services",
      (user) => [
        { id: Number(user), name: `s${user}` },
        { name: `s${user}`, id: user },
      ],
    ],
  ])("%s takes what means the same for the same", async (_what, path, bodiesOf) => {
    const user = String((users += 1));
    await legacy.api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "10" } });
    const key = randomUUID();
    const [one, other] = bodiesOf(user);
    const first = await legacy.api.call("POST", path.replace("{user}", user), { body: one, key });
    expect(first.status, first.text).toBe(201);
    const again = await legacy.api.call("POST", path.replace("{user}", user), { body: other, key });
    expect([again.status, again.headers.get("idempotency-replayed")], again.text).toEqual([201, "true"]);
    expect(again.body).toEqual(first.body);
  });

  it("an act on a reservation and a refund take what means the same for the same", async () => {
    const user = String((users += 1));
    const { api } = legacy;
    await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "10" } });
    const named = { userId: user, serviceId: 1, orderId: user };
    const held = await api.call("POST", "/api/v1/reservations", { body: { ...named, amount: "5" } });
    const reservation = `/api/v1/reservations/${String(held.body["reservationId"])}`;
    const order = await api.call("POST", "/api/v1/orders", { body: { userId: user, items: [{ serviceId: 1, amount: "2" }] } });
    for (const [path, one, other] of [
      [`${reservation}/extend`, { ttlSeconds: 3_600 }, { ttlMs: 3_600_000 }],
      [`${reservation}/confirm`, { amount: 1.5 }, { amount: "1.50" }],
      ["/api/v1/reservations/confirm", { ...named, amount: 1.5 }, { ...named, serviceId: "1", amount: "1.50", currency: "RUB" }],
      ["/api/v1/reservations/release", named, { ...named, serviceId: "1", currency: "RUB" }],
      [`/api/v1/orders/${String(order.body["orderId"])}/refunds`, { amount: 1.5, reason: "late" }, { reason: "late", amount: "1.50" }],
    ] as const) {
      const key = randomUUID();
      const first = await api.call("POST", path, { body: one, key });
      expect([200, 201], `${path} ${first.text}`).toContain(first.status);
      const again = await api.call("POST", path, { body: other, key });
      expect([again.status, again.headers.get("idempotency-replayed")], `${path} ${again.text}`).toEqual([first.status, "true"]);
    }
  });
});
