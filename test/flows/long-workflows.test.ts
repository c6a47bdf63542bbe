import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { orderRefundWorkflowId, webhookDeliveryWorkflowId } from "../../src/contract/ids.ts";
import { SAGA_REFUND } from "../../src/contract/saga-commands.ts";
import { createWebhookStarter } from "../../src/starters/webhooks.ts";
import { insertDeliveries, readDelivery } from "../../src/store/webhooks/webhook-deliveries.ts";
import { createWebhook, disableWebhook } from "../../src/store/webhooks/webhooks.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { startStrictTemporal, type StrictTemporal } from "../support/strict-temporal.ts";
import { until } from "../support/until.ts";

let temporal: StrictTemporal;
let bench: SagaBench;

beforeAll(async () => {
  // The server advises a new run after so many events; its default is 4,096.
  temporal = await startStrictTemporal(["limit.historyCount.suggestContinueAsNew=30"]);
  bench = await openSagaBench({ redisUrl: undefined, temporalAddress: temporal.address });
});

afterAll(async () => {
  await bench.close();
  await temporal.stop();
});

const runOf = async (workflowId: string) => (await bench.client.workflow.getHandle(workflowId).describe()).runId;

test("a REFUND that is refused again and again goes on in new runs, stays stuck, and ends when the money is back", async () => {
  const orderId = "refused-for-months";
  const workflowId = orderRefundWorkflowId(orderId, SAGA_REFUND);
  const payment = { orderId, userId: "ann", amount: "10.00", currency: "RUB", correlationId: "test" };
  const runs = new Set<string>();
  for (let n = 1; n <= 20; n += 1) {
    await bench.starters.replyToRefund(payment, { status: "FAILED", error: `refusal ${n}` });
    await until(`refusal ${n} is taken in`, async () => {
      const standing = await bench.starters.refundStatus(orderId, SAGA_REFUND);
      return standing?.waitingFor?.endsWith(`refusal ${n}`) === true;
    });
    runs.add(await runOf(workflowId));
  }
  expect(runs.size).toBeGreaterThan(1);
  expect(await bench.starters.refundStatus(orderId, SAGA_REFUND)).toMatchObject({ stuck: `refund ${SAGA_REFUND}` });
  await bench.starters.replyToRefund(payment, { status: "SUCCEEDED" });
  expect(await bench.client.workflow.getHandle(workflowId).result()).toEqual({ refundId: SAGA_REFUND, status: "done" });
});

test("a delivery that its client asks for again and again goes on in new runs and makes an attempt for each", async () => {
  const { db } = bench.database;
  const [webhookId, eventId] = ["wh-long", "event-long"];
  await createWebhook(db, {
    webhookId,
    url: "https://receiver.example/hook",
    eventTypes: [],
    description: "",
    createdBy: "test",
    sealedSecret: "sealed",
  });
  const [deliveryId = ""] = await insertDeliveries(db, [{ webhookId, eventId, eventType: "saldo.webhook.test", body: "{}" }]);
  const delivery = { webhookId, eventId, deliveryId };
  const deliverNow = createWebhookStarter({ client: bench.client, deadlineMs: 10_000 });
  const attempts = async () => {
    const [row] = await db.execute<{ attempts: number }>(sql`select attempts from webhook_deliveries where id = ${deliveryId}::bigint`);
    return row?.attempts ?? 0;
  };
  const runs = new Set<string>();
  for (let n = 1; n <= 8; n += 1) {
    await deliverNow(delivery);
    // The bench sends no webhooks, so each attempt fails.
    await until(`attempt ${n} was made`, async () => (await attempts()) >= n);
    runs.add(await runOf(webhookDeliveryWorkflowId(delivery)));
  }
  expect(runs.size).toBeGreaterThan(1);
  await disableWebhook(db, { webhookId, reason: "a test" });
  await deliverNow(delivery);
  await bench.client.workflow.getHandle(webhookDeliveryWorkflowId(delivery)).result();
  expect((await readDelivery(db, deliveryId))?.status).toBe("abandoned");
});
