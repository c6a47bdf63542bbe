import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { createDatabase, type Database, type Db } from "../postgres/database.ts";
import { insertDeliveries, type NewDelivery } from "./webhook-deliveries.ts";
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
