import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { createDatabase, type Database, type Db } from "../postgres/database.ts";
import { pruneExpired } from "../postgres/housekeeping.ts";
import {
  insertDeliveries,
  listDeliveries,
  listWaitingDeliveries,
  markDispatched,
  readDelivery,
  recordAttempt,
  requestRedelivery,
  type NewDelivery,
} from "./webhook-deliveries.ts";
import { createWebhook } from "./webhooks.ts";

const WEBHOOKS = 25;
const EVENTS = 100;
let testDatabase: TestDatabase;
let database: Database;
const webhookIds = Array.from({ length: WEBHOOKS }, (_, place) => `w-${place}`);

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "deliveries-test", laneCount: 1, deadlineMs: 10_000 });
  for (const webhookId of webhookIds)
    await createWebhook(database.db, {
      webhookId,
      url: "https://shop.example/",
      eventTypes: [],
      description: "",
      createdBy: "test",
      sealedSecret: "plain.x",
    });
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const deliveries: readonly NewDelivery[] = Array.from({ length: EVENTS }, (_, event) =>
  webhookIds.map((webhookId) => ({ webhookId, eventId: `outbox/${event}`, eventType: "saldo.order.completed", body: `{"n":${event}}` })),
).flat();

/** The database as it is, with a look at how many rows each statement answers and a failure of the one that is named. */
function watched(failing?: number): { db: Db; sizes: number[] } {
  const sizes: number[] = [];
  const execute: Db["execute"] = ((query: Parameters<Db["execute"]>[0]) =>
    (async () => {
      if (sizes.length === failing) throw new Error("the deadline passed");
      const rows = await database.db.execute(query);
      sizes.push(rows.length);
      return rows;
    })()) as unknown as Db["execute"];
  return { db: { ...database.db, execute }, sizes };
}

describe("many deliveries at once", () => {
  it("are written by statements of a bounded size; what stands before a failure stays, and a repeat adds only the rest", async () => {
    const broken = watched(1);
    await expect(insertDeliveries(broken.db, deliveries)).rejects.toThrow("the deadline passed");
    expect(broken.sizes).toEqual([1_000]);
    const { db, sizes } = watched();
    expect(await insertDeliveries(db, deliveries)).toHaveLength(EVENTS * WEBHOOKS - 1_000);
    expect(sizes).toEqual([0, 1_000, 500]);
    expect(await insertDeliveries(database.db, deliveries)).toEqual([]);
    const kept = await database.db.execute("select webhook_id, event_id, event_type, body from webhook_deliveries order by id");
    expect([...kept]).toEqual(
      deliveries.map(({ webhookId, eventId, eventType, body }) => ({
        webhook_id: webhookId,
        event_id: eventId,
        event_type: eventType,
        body,
      })),
    );
  });
});

describe("the deliveries that may start", () => {
  const take = async (limit = 1_000) => {
    const taken = await listWaitingDeliveries(database.db, limit);
    await markDispatched(
      database.db,
      taken.map(({ deliveryId }) => deliveryId),
    );
    return taken;
  };
  const countOf = (taken: readonly { webhookId: string }[], id: string) => taken.filter(({ webhookId }) => webhookId === id).length;
  const attempt = (deliveryId: string, status: "pending" | "delivered", restMs?: number) =>
    recordAttempt(database.db, { deliveryId, status, attempted: true, ...(restMs === undefined ? {} : { restMs }) });
  const [slow = "", failing = "", good = "", asking = ""] = webhookIds;

  it("are the first of every webhook before the second of any, and of each no more than its slots", async () => {
    const first = await take(WEBHOOKS);
    expect(new Set(first.map(({ webhookId }) => webhookId)).size).toBe(WEBHOOKS);
    const rest = await take();
    expect(rest).toHaveLength(WEBHOOKS * 4);
    expect(await take()).toEqual([]);
    // A slot is free again with the first attempt, whatever became of it; the slow webhook's stay taken.
    const end = (taken: readonly { webhookId: string; deliveryId: string }[], id: string, status: "pending" | "delivered") =>
      Promise.all(taken.filter(({ webhookId }) => webhookId === id).map(({ deliveryId }) => attempt(deliveryId, status)));
    await end([...first, ...rest], good, "delivered");
    let next = await take();
    expect([next.length, countOf(next, good), countOf(next, slow)]).toEqual([10, 10, 0]);
    await end(next, good, "delivered");
    next = await take();
    expect([next.length, countOf(next, good)]).toEqual([20, 20]);
    await end(next, good, "delivered");
    expect(countOf(await take(), good)).toBe(20);
    await end([...first, ...rest], failing, "pending");
    next = await take();
    expect([next.length, countOf(next, failing)]).toEqual([5, 5]);
    await end(next, failing, "pending");
    expect(await take()).toEqual([]);
    // Once its rest is over it gets one at a time, until one is taken.
    await database.db.execute(sql`update webhooks set rest_until = clock_timestamp()`);
    const probe = await take();
    expect([probe.length, countOf(probe, failing)]).toEqual([1, 1]);
    expect(await take()).toEqual([]);
    await attempt(probe[0]?.deliveryId ?? "", "delivered");
    expect(countOf(await take(), failing)).toBe(6);
  });

  it("rest twice as long with each further failure, up to a minute", async () => {
    const id = webhookIds[4] ?? "";
    const [one] = await listDeliveries(database.db, { webhookId: id, limit: 1 });
    const rests: number[] = [];
    for (let n = 0; n < 15; n += 1) {
      await database.db.execute(sql`update webhooks set rest_until = null where id = ${id}`);
      await attempt(one?.deliveryId ?? "", "pending");
      rests.push(Math.round(((await readDelivery(database.db, one?.deliveryId ?? ""))?.restMs ?? 0) / 1_000));
    }
    expect(rests).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 10, 20, 40, 60, 60]);
  });

  it("are none of a receiver that asked for a rest, and a success of another attempt does not end that", async () => {
    const own = (await listDeliveries(database.db, { webhookId: asking, limit: 100 })).filter(({ attempts }) => attempts === 0);
    const [first, second, third] = own.slice(-3).map(({ deliveryId }) => deliveryId) as [string, string, string];
    await attempt(first, "pending", 60_000);
    await attempt(second, "delivered");
    const restMs = (await readDelivery(database.db, third))?.restMs ?? 0;
    expect([restMs > 58_000, restMs <= 60_000]).toEqual([true, true]);
    expect(countOf(await take(), asking)).toBe(0);
    expect(await requestRedelivery(database.db, { webhookId: asking, deliveryId: first })).toBe(true);
    expect((await readDelivery(database.db, third))?.restMs).toBe(0);
    expect(countOf(await take(), asking)).toBeGreaterThan(0);
  });

  it("do not wait for ever for workflows that were lost", async () => {
    expect(countOf(await take(), slow)).toBe(0);
    await database.db.execute(
      sql`update webhook_deliveries set dispatched_at = dispatched_at - interval '3 minutes' where webhook_id = ${slow}`,
    );
    expect(countOf(await take(), slow)).toBe(5);
  });

  it("wait for 30 days and no longer, so that a receiver that takes nothing fills no disk; what has begun stays", async () => {
    const id = webhookIds[5] ?? "";
    const counts = async () =>
      (
        await database.db.execute(sql`
          select count(*) filter (where dispatched_at is null)::integer as waiting, count(*) filter (where dispatched_at is not null)::integer as begun
            from webhook_deliveries where webhook_id = ${id}`)
      )[0];
    const before = await counts();
    expect(before?.["waiting"]).toBeGreaterThan(0);
    expect(before?.["begun"]).toBeGreaterThan(0);
    await database.db.execute(sql`update webhook_deliveries set created_at = created_at - interval '29 days' where webhook_id = ${id}`);
    expect(await pruneExpired(database.db, "webhook_deliveries")).toBe(0);
    await database.db.execute(sql`update webhook_deliveries set created_at = created_at - interval '2 days' where webhook_id = ${id}`);
    expect(await pruneExpired(database.db, "webhook_deliveries")).toBe(before?.["waiting"]);
    expect(await counts()).toEqual({ waiting: 0, begun: before?.["begun"] });
  });
});
