import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createBalanceCache } from "../../src/adapters/redis/balance-cache.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import type { Role } from "../../src/contract/identity.ts";
import { readPurchaseEvent } from "../../src/events/purchase-event.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createRealIdentities, type RealIdentities } from "../support/real-identity.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let identities: RealIdentities;
let workflows: TestWorkflows;
let redis: RedisLink;
let api: TestApi;

beforeAll(async () => {
  [database, identities] = await Promise.all([createTestDatabase(), createRealIdentities()]);
  workflows = await startTestWorkflows(database.appUrl, ["orders", "payments"]);
  redis = openRedis({ url: inject("redisUrl"), logger: SILENT_LOG });
  const { authenticator, identity } = await identities.open({ databaseUrl: database.appUrl, redisUrl: inject("redisUrl") });
  api = createTestApi({ databaseUrl: database.appUrl, authenticator, identity, redis, starters: workflows.starters });
  const shop = await identities.bearer("shop", ["service"]);
  const service = { id: LONG_SERVICE, name: "lessons" };
  await api.call("POST", "/api/v1/services", { body: service, headers: shop, key: null });
});

afterAll(async () => {
  await api.close();
  redis.close();
  await workflows.close();
  await identities.close();
  await database.drop();
});

const LONG_SERVICE = "😀".repeat(64);
const LONG_ORDER = "🛒".repeat(64);
const LONG_KEY = "k".repeat(255);
const filledTo255 = (text: string, filling: string) => text + filling.repeat(255 - Array.from(text).length);
const call = async (subject: string, role: Role, method: string, path: string, body?: unknown, key: string = randomUUID()) =>
  await api.call(method, path, { headers: await identities.bearer(subject, [role]), ...(body === undefined ? {} : { body }), key });

// The shapes of `sub` that issuers write: Keycloak's user federation, an LDAP name, and any 255 characters, of four bytes each.
describe.each([
  ["a federated id of 255 characters", filledTo255(`f:${randomUUID()}:anna@`, "x")],
  ["an LDAP name with a path that is none", "uid=Анна Иванова,ou=a..b,dc=example,dc=org"],
  ["255 characters of four bytes", filledTo255("", "😀")],
])("a token whose subject is %s", (_what, subject) => {
  const path = `/api/v1/balances/${encodeURIComponent(subject)}`;

  it("sees its money, spends it and reads its history", async () => {
    expect((await call("shop", "service", "POST", `${path}/deposits`, { amount: "100" })).status).toBe(201);
    const order = await call(subject, "user", "POST", "/api/v1/orders", {
      userId: subject,
      items: [{ serviceId: LONG_SERVICE, amount: "10" }],
    });
    expect([order.status, order.body["sagaState"]]).toEqual([201, "COMPLETED"]);
    const reservation = await call(
      "shop",
      "service",
      "POST",
      "/api/v1/reservations",
      { userId: subject, serviceId: LONG_SERVICE, orderId: LONG_ORDER, amount: "20" },
      LONG_KEY.slice(0, 200) + randomUUID(),
    );
    expect(reservation.status).toBe(201);
    const confirm = `/api/v1/reservations/${String(reservation.body["reservationId"])}/confirm`;
    expect((await call("shop", "service", "POST", confirm, {})).status).toBe(200);
    const purchase = { user_id: subject, username: "x", amount: "1", currency: "RUB", payment_method: "wallet", transaction_date: NOW };
    expect((await call("shop", "service", "POST", "/api/v1/purchases", purchase)).status).toBe(201);
    const peer = { fromUserId: "boss", toUserId: subject, amount: "5" };
    await call("shop", "service", "POST", "/api/v1/balances/boss/deposits", { amount: "5" });
    expect((await call("shop", "service", "POST", "/api/v1/transfers", peer)).status).toBe(201);

    expect((await call(subject, "user", "GET", `${path}?currency=RUB`)).body).toMatchObject({ available: "74.00", held: "0.00" });
    const query = `limit=1&serviceId=${encodeURIComponent(LONG_SERVICE)}&orderId=${encodeURIComponent(LONG_ORDER)}`;
    const first = await call(subject, "user", "GET", `${path}/operations?${query}`);
    expect(first.body["nextCursor"]).toBeDefined();
    const next = await call(subject, "user", "GET", `${path}/operations?limit=1&cursor=${String(first.body["nextCursor"])}`);
    expect(next.body["operations"]).toMatchObject([{ kind: "hold", serviceId: LONG_SERVICE }]);
    const orders = await call(subject, "user", "GET", `/api/v1/orders?userId=${encodeURIComponent(subject)}`);
    expect(orders.body["orders"]).toMatchObject([{ userId: subject }]);
  });

  it("moves money under an Idempotency-Key of any length", async () => {
    const deposit = () => call(subject, "service", "POST", `${path}/deposits`, { amount: "1" }, LONG_KEY);
    expect((await deposit()).status).toBe(201);
    expect((await deposit()).headers.get("idempotency-replayed")).toBe("true");
  });

  it("can be paused, and is a user over the earlier interface, in Redis and in Kafka", async () => {
    const pause = { scope: "user", id: subject, reason: "a question" };
    expect((await call("ops", "admin", "POST", "/api/v1/pauses", pause)).status).toBe(201);
    expect((await call("ops", "admin", "DELETE", `/api/v1/pauses?scope=user&id=${encodeURIComponent(subject)}`)).status).toBe(204);
    expect((await call("shop", "service", "POST", "/api", { id: subject, amount: 1 })).text).toBe("OK");
    const cache = createBalanceCache(redis, { markMs: 1_000 });
    const epoch = { epoch: 1, reign: (await cache.raise(1)) ?? "" };
    await cache.read(epoch, "token", [subject]);
    await cache.fillIn(epoch, "token", [{ userId: subject, text: "1 RUB 1 0" }]);
    expect(await cache.read(epoch, "token", [subject])).toEqual([{ text: "1 RUB 1 0" }]);
    const event = { user_id: subject, amount: "1", currency: "RUB", payment_method: "cash", transaction_date: NOW };
    expect(readPurchaseEvent(Buffer.from(JSON.stringify(event)), Date.now())).toMatchObject({ event: { userId: subject } });
  });
});

const NOW = new Date().toISOString();

it.each([
  ["of 256 characters", "x".repeat(256)],
  ["that is a path", "../anna"],
  ["with a path inside", "corp/../anna"],
])("a token with a subject %s is refused where it comes in, as is such a user in a path", async (_what, subject) => {
  expect((await call(subject, "user", "GET", "/api/v1/auth/me")).status).toBe(401);
  const balance = await call("shop", "service", "GET", `/api/v1/balances/${encodeURIComponent(subject)}`);
  expect([balance.status, balance.body["code"]]).toEqual([400, "INVALID_REQUEST"]);
});
