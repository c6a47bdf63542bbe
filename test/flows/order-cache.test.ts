import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { createOrderCacheRefresh } from "../../activities/beside/order-cache.ts";
import { createOrderActivities } from "../../activities/orders/orders.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createOrderCache, type OrderCache } from "../../src/adapters/redis/order-cache.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import { createOrderStamps } from "../../src/store/orders/order-stamps.ts";
import { orderAge, orderToText } from "../../src/store/orders/order-text.ts";
import { getOrder, settleByHand } from "../../src/store/orders/orders.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { startOwnRedis } from "../support/own-redis.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;
let link: RedisLink;
let cache: OrderCache;

beforeAll(async () => {
  database = await createTestDatabase();
  link = openRedis({ url: inject("redisUrl"), logger: SILENT_LOG });
  await until("Redis answers", async () => (await link.attempt((redis) => redis.ping())) === "PONG");
  cache = createOrderCache(link);
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, redis: link });
  await api.call("POST", "/api/v1/services", { body: { services: [{ id: "gig", name: "Gig" }] } });
});

afterAll(async () => {
  await api.close();
  await workflows.close();
  link.close();
  await database.drop();
});

const path = (orderId: string) => `/api/v1/orders/${orderId}`;
async function completed(): Promise<string> {
  const user = `user-${randomUUID()}`;
  await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "10" } });
  const { body } = await api.call("POST", "/api/v1/orders", {
    body: { userId: user, items: [{ serviceId: "gig", amount: "10" }] },
    headers: { prefer: "wait=20" },
  });
  expect(body["sagaState"]).toBe("COMPLETED");
  return body["orderId"] as string;
}
/** What the worker does once the order has ended. */
async function remembered(orderId: string): Promise<void> {
  createOrderCacheRefresh({ db: api.db, orderCache: cache, logger: SILENT_LOG })(orderId);
  await until("the order is cached", async () => (await cache.get(orderId)) !== undefined);
}
/** Puts the order as it stands into the cache, except for its comment. */
async function cacheAs(orderId: string, comment: string): Promise<void> {
  const stamp = await createOrderStamps(api.db).read(orderId);
  const order = await getOrder(api.db, orderId);
  if (order === undefined || stamp === undefined) throw new Error("the order is there");
  await cache.put(orderId, { version: orderAge(order) + 1n, text: orderToText({ order: { ...order, comment }, stamp }) });
}

test("an order that has ended is answered from the cache exactly as from the database", async () => {
  const orderId = await completed();
  const fromDatabase = await api.call("GET", path(orderId));
  await remembered(orderId);
  expect((await api.call("GET", path(orderId))).body).toEqual(fromDatabase.body);
  // That it is the cache that answers shows in what the row says meanwhile.
  await cacheAs(orderId, "from the cache");
  expect((await api.call("GET", path(orderId))).body["comment"]).toBe("from the cache");
});

test("the step that ends an order brings it there", async () => {
  const seen: string[] = [];
  const orderId = await completed();
  const steps = createOrderActivities({ db: api.db, ledger: api.ledger, refreshOrderCache: (id) => void seen.push(id) });
  await steps.noteStuck({ orderId, reason: "" });
  expect(seen).toEqual([orderId]);
});

test("a refund is seen at once also when the order as it was comes to the cache late", async () => {
  const orderId = await completed();
  await remembered(orderId);
  const late = await cache.get(orderId);
  const refund = await api.call("POST", `${path(orderId)}/refunds`, {
    body: { reason: "returned", amount: "4" },
    headers: { prefer: "wait=20" },
  });
  expect(refund.status).toBe(201);
  if (late !== undefined) await cache.put(orderId, { ...late, version: late.version + 1_000_000n });
  expect((await api.call("GET", path(orderId))).body["payment"]).toMatchObject({ refunded: "4.00", status: "part_refunded" });
});

describe("a change that the cache was never told of is seen by every process:", () => {
  const cases: [string, (orderId: string) => Promise<unknown>, (body: Record<string, unknown>) => unknown, unknown][] = [
    [
      "a refund through a process whose Redis is away",
      async (orderId) => {
        const blind = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters });
        const body = { reason: "returned", amount: "4" };
        const { status } = await blind.call("POST", `${path(orderId)}/refunds`, { body, headers: { prefer: "wait=20" } });
        expect(status).toBe(201);
        await blind.close();
      },
      ({ payment }) => (payment as { refunded: string }).refunded,
      "4.00",
    ],
    [
      "an operator's act that a worker writes down",
      (orderId) => settleByHand(api.db, { orderId, step: "refund", act: "settle", reason: "paid in cash", actor: "ann" }),
      ({ settledByHand }) => settledByHand,
      'settle "refund" by ann: paid in cash',
    ],
    [
      "a statement that leaves the time of the last change alone",
      (orderId) => api.db.execute(sql`update payments set provider_reference = 'late' where order_id = ${orderId}`),
      ({ payment }) => (payment as { providerReference?: string }).providerReference,
      "late",
    ],
  ];
  test.each(cases)("%s", async (_name, change, read, expected) => {
    const orderId = await completed();
    await remembered(orderId);
    expect(read((await api.call("GET", path(orderId))).body)).not.toBe(expected);
    await change(orderId);
    expect(await cache.get(orderId)).toBeDefined();
    expect(read((await api.call("GET", path(orderId))).body)).toBe(expected);
  });
});

test("a refund is seen at once while Redis is a read-only replica that still has the order as it was", async () => {
  const server = await startOwnRedis(inject("cacheDir"));
  const own = openRedis({ url: server.url, logger: SILENT_LOG });
  const there = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, redis: own });
  try {
    await until("Redis is up", () => own.isUp());
    const orderId = await completed();
    const refunded = async () => ((await there.call("GET", path(orderId))).body["payment"] as { refunded: string }).refunded;
    await until("the order is cached", async () => {
      expect(await refunded()).toBe("0.00");
      return (await server.client.exists(`order:${orderId}`)) === 1;
    });
    await server.becomeReplica();
    const body = { reason: "returned", amount: "4" };
    expect((await there.call("POST", `${path(orderId)}/refunds`, { body, headers: { prefer: "wait=20" } })).status).toBe(201);
    expect(await server.client.exists(`order:${orderId}`)).toBe(1);
    expect(await refunded()).toBe("4.00");
    await server.becomeMaster();
    await until("Redis is used again", () => own.isUp());
    expect(await refunded()).toBe("4.00");
  } finally {
    await there.close();
    own.close();
    await server.close();
  }
});

test("an order that goes on is never cached", async () => {
  await api.call("POST", "/api/v1/pauses", { body: { scope: "service", id: "gig", reason: "x" } });
  const user = `user-${randomUUID()}`;
  await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "10" } });
  const { body } = await api.call("POST", "/api/v1/orders", {
    body: { userId: user, items: [{ serviceId: "gig", amount: "10" }] },
    headers: { prefer: "respond-async" },
  });
  const orderId = body["orderId"] as string;
  await until("its row is there", async () => (await getOrder(api.db, orderId)) !== undefined);
  createOrderCacheRefresh({ db: api.db, orderCache: cache, logger: SILENT_LOG })(orderId);
  await api.db.execute(sql`select pg_sleep(0.3)`);
  expect(await cache.get(orderId)).toBeUndefined();
  await api.call("DELETE", "/api/v1/pauses?scope=service&id=gig");
});
