import { ApplicationFailure } from "@temporalio/common";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SILENT_LOG } from "../src/adapters/log.ts";
import { createDatabase, type Database } from "../src/store/postgres/database.ts";
import { insertDeliveries, markDispatched, requestRedelivery } from "../src/store/webhooks/webhook-deliveries.ts";
import { createWebhook } from "../src/store/webhooks/webhooks.ts";
import { createTestDatabase, type TestDatabase } from "../test/support/test-database.ts";
import type { WebhookAnswer } from "./activity-deps.ts";
import { createWebhookActivities } from "./webhooks.ts";

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "webhooks-test", laneCount: 1, deadlineMs: 10_000 });
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

it("a delivery that waits for a rest's end looks again within 72 s, as a person may have ended the rest", async () => {
  const { db } = database;
  const webhookId = "w-1";
  const hook = { webhookId, url: "https://shop.example/", eventTypes: [], description: "", createdBy: "test", sealedSecret: "plain.x" };
  await createWebhook(db, hook);
  const of = (eventId: string) => ({ webhookId, eventId, eventType: "saldo.order.completed", body: "{}" });
  const [asking = "", waiting = ""] = (await insertDeliveries(db, [of("outbox/1"), of("outbox/2")])).map(String);
  await markDispatched(db, [asking, waiting]);
  const answers: WebhookAnswer[] = [
    { status: 503, error: undefined, retryAfter: "3600" },
    { status: 204, error: undefined },
  ];
  const webhooks = { openSecret: () => "whsec_eA==", send: async () => answers.shift() ?? { status: undefined, error: "none" } };
  const { attemptWebhookDelivery } = createWebhookActivities({ db, webhooks, logger: SILENT_LOG });

  expect(await attemptWebhookDelivery({ deliveryId: asking, nextDelayMs: 5_000 })).toEqual({ againInMs: 3_600_000 });
  const refusal: unknown = await attemptWebhookDelivery({ deliveryId: waiting, nextDelayMs: 5_000 }).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApplicationFailure);
  expect(Number((refusal as ApplicationFailure).nextRetryDelay)).toBeLessThanOrEqual(72_000);
  expect(await requestRedelivery(db, { webhookId, deliveryId: waiting })).toBe(true);
  expect(await attemptWebhookDelivery({ deliveryId: waiting, nextDelayMs: 5_000 })).toBe("settled");
});
