import { randomUUID } from "node:crypto";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deadLetters } from "../../drizzle/schema/events.ts";
import { DomainError } from "../../src/base/errors.ts";
import { orderRequestTopic, type OrderRequestDeps } from "../../src/ingest/order-requests.ts";
import { claimEventIdentity } from "../../src/store/events/event-identities.ts";
import { findReceipt } from "../../src/store/events/receipts.ts";
import { findOrderIdentity } from "../../src/store/orders/order-identity.ts";
import { getOrder } from "../../src/store/orders/orders.ts";
import { createServices, getServices } from "../../src/store/services.ts";
import { createBridgeBench, eventMessage, type BridgeBench } from "../support/bridge.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { until } from "../support/until.ts";

let saga: SagaBench;
let bench: BridgeBench;

beforeAll(async () => {
  saga = await openSagaBench({ redisUrl: undefined });
  bench = await createBridgeBench(saga);
  await createServices(saga.database.db, [
    { id: "music", name: "Music" },
    { id: "delivery", name: "Delivery" },
  ]);
});

afterAll(async () => {
  await bench.close();
  await saga.close();
});

const deps = (changed: Partial<OrderRequestDeps> = {}): OrderRequestDeps => ({
  starters: saga.starters,
  knownRequestHash: async (orderId) => (await findOrderIdentity(saga.database.db, orderId))?.requestHash,
  claimIdentity: (identity, workflowId) => claimEventIdentity(saga.database.db, { identity, workflowId }),
  knownServices: async (ids) => new Set((await getServices(saga.database.db, ids)).map(({ id }) => id)),
  defaultCurrency: "RUB",
  settings: {},
  ...changed,
});

const wish = (orderId: string, change: Readonly<Record<string, unknown>> = {}) =>
  eventMessage(orderId, {
    order_id: orderId,
    user_id: `user-of-${orderId}`,
    items: [
      { service_id: "music", amount: "70.00" },
      { service_id: "delivery", amount: "30.00", quantity: 2 },
    ],
    ...change,
  });

async function readAll(topic: string, count: bigint, changed: Partial<OrderRequestDeps> = {}): Promise<void> {
  const group = `group-${randomUUID().slice(0, 8)}`;
  const bridge = await bench.startBridge({ topic, group, kind: orderRequestTopic(topic, deps(changed)) });
  await until("everything is committed", async () => (await bench.committed(group, topic)) >= count);
  await bridge.stop();
  expect(bridge.crashes).toEqual([]);
}

const orderOf = (orderId: string) => getOrder(saga.database.db, orderId);
const lettersOf = (topic: string) =>
  bench.database.db.select().from(deadLetters).where(eq(deadLetters.topic, topic)).orderBy(deadLetters.offset);
const untilEnded = (orderId: string) =>
  until(`order ${orderId} has ended`, async () => ["COMPLETED", "FAILED"].includes((await orderOf(orderId))?.sagaState ?? ""));

describe("the bridge of wishes for orders", () => {
  it("starts one saga per order, which is paid from the wallet, however often the wish is delivered", async () => {
    const [topic, orderId] = [await bench.newTopic(), randomUUID()];
    await saga.fund(`user-of-${orderId}`, 15_000n);
    await bench.producer.send(topic, [wish(orderId, { comment: "by event" }), wish(orderId), wish(orderId, { comment: "other words" })]);
    await readAll(topic, 3n);
    await untilEnded(orderId);
    await readAll(topic, 3n);
    expect(await orderOf(orderId)).toMatchObject({
      sagaState: "COMPLETED",
      totalMinor: 10_000n,
      currency: "RUB",
      comment: "by event",
      items: [{ serviceId: "music" }, { serviceId: "delivery", quantity: 2 }],
    });
    expect((await saga.balanceOf(`user-of-${orderId}`))?.availableMinor).toBe(5_000n);
    expect(await lettersOf(topic)).toEqual([]);
    expect(await findReceipt(saga.database.db, { topic, partition: 0, offset: "2" })).toMatchObject({
      outcome: "duplicate",
      workflowId: `order/${orderId}`,
      first: { topic, partition: 0, offset: "0" },
    });
  });

  it("dead-letters the same id with other content, whether the order runs or has ended", async () => {
    const [topic, orderId] = [await bench.newTopic(), randomUUID()];
    await saga.fund(`user-of-${orderId}`, 50_000n);
    await saga.stopWorker();
    await bench.producer.send(topic, [wish(orderId), wish(orderId, { items: [{ service_id: "music", amount: "1.00" }] })]);
    // Without a worker there is no row yet: what runs is known by Temporal alone.
    await readAll(topic, 2n);
    expect(await lettersOf(topic)).toMatchObject([{ code: "CONFLICT", offset: 1n }]);
    await saga.startWorker();
    await untilEnded(orderId);
    await bench.producer.send(topic, [wish(orderId, { user_id: "somebody else" })]);
    await readAll(topic, 3n);
    expect(await lettersOf(topic)).toMatchObject([{ offset: 1n }, { code: "CONFLICT", offset: 2n }]);
    expect((await orderOf(orderId))?.totalMinor).toBe(10_000n);
  });

  it("dead-letters an event whose own id was another order's, also when both come at the same time", async () => {
    const topic = await bench.newTopic();
    const [first, second, id] = [randomUUID(), randomUUID(), randomUUID()];
    await Promise.all([first, second].map((orderId) => saga.fund(`user-of-${orderId}`, 10_000n)));
    await bench.producer.send(topic, [wish(first, { event_id: id }), wish(second, { event_id: id }), wish(first, { event_id: id })]);
    await readAll(topic, 3n);
    expect(await lettersOf(topic)).toMatchObject([{ code: "CONFLICT" }]);
    const standing = await Promise.all([first, second].map(orderOf));
    expect(standing.filter((order) => order !== undefined)).toHaveLength(1);
    // Long after, when no workflow is known any more.
    await readAll(topic, 3n);
    expect(await lettersOf(topic)).toHaveLength(1);
  });

  it("dead-letters unknown services and bad amounts, and an order without funds is none of them", async () => {
    const [topic, first, second, third] = [await bench.newTopic(), randomUUID(), randomUUID(), randomUUID()];
    await bench.producer.send(topic, [
      wish(first, { items: [{ service_id: "unheard-of", amount: "1.00" }] }),
      wish(second, { items: [{ service_id: "music", amount: "1.001" }] }),
      wish(third),
    ]);
    await readAll(topic, 3n);
    await untilEnded(third);
    expect(await lettersOf(topic)).toMatchObject([{ code: "UNKNOWN_SERVICE" }, { code: "INVALID_AMOUNT" }]);
    expect(await orderOf(first)).toBeUndefined();
    expect(await orderOf(third)).toMatchObject({ sagaState: "FAILED", failureCode: "INSUFFICIENT_FUNDS" });
  });

  it("waits out an outage of Temporal without moving the offset, and no wish is lost or dead-lettered", async () => {
    const [topic, group] = [await bench.newTopic(), `group-${randomUUID().slice(0, 8)}`];
    const orderIds = Array.from({ length: 20 }, () => randomUUID());
    await Promise.all(orderIds.map((orderId) => saga.fund(`user-of-${orderId}`, 10_000n)));
    let away = true;
    const startOrder: OrderRequestDeps["starters"]["startOrder"] = async (order) => {
      if (away) throw new DomainError("UNAVAILABLE", "Temporal is not reachable");
      return saga.starters.startOrder(order);
    };
    const starters = { startOrder, orderRequestHash: saga.starters.orderRequestHash };
    const bridge = await bench.startBridge({ topic, group, kind: orderRequestTopic(topic, deps({ starters })) });
    await bench.producer.send(
      topic,
      orderIds.map((orderId) => wish(orderId)),
    );
    await until("the outage is known", () => bridge.outage() !== undefined);
    expect(await bench.committed(group, topic)).toBe(0n);
    away = false;
    await until("everything is committed", async () => (await bench.committed(group, topic)) === 20n);
    await bridge.stop();
    await Promise.all(orderIds.map(untilEnded));
    expect(await lettersOf(topic)).toEqual([]);
    const states = await Promise.all(orderIds.map(async (orderId) => (await orderOf(orderId))?.sagaState));
    expect(new Set(states)).toEqual(new Set(["COMPLETED"]));
  });
});
