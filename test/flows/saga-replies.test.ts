import { randomUUID } from "node:crypto";
import { and, asc, eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deadLetters } from "../../drizzle/schema/events.ts";
import { outbox } from "../../drizzle/schema/outbox.ts";
import { orderRefundWorkflowId } from "../../src/contract/ids.ts";
import type { OrderOutcome, OrderSagaInput } from "../../src/contract/orders.ts";
import { refundStep } from "../../src/contract/refunds.ts";
import { SAGA_REFUND } from "../../src/contract/saga-commands.ts";
import { sagaReplyTopic } from "../../src/ingest/saga-topics.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { getOrder } from "../../src/store/orders/orders.ts";
import { findSagaOrder, refundLatePayment } from "../../src/store/orders/saga-commands.ts";
import { createBridgeBench, eventMessage, type BridgeBench, type TestBridge } from "../support/bridge.ts";
import { createTestApi } from "../support/http-api.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { until } from "../support/until.ts";

const WAIT_MS = 60_000;
const DEADLINE_MS = 1_500;

let saga: SagaBench;
let bench: BridgeBench;
let topic: string;
let group: string;
let bridge: TestBridge;
let sent = 0n;

beforeAll(async () => {
  saga = await openSagaBench({ redisUrl: undefined });
  bench = await createBridgeBench(saga);
  topic = await bench.newTopic();
  group = `group-${randomUUID().slice(0, 8)}`;
  const { db } = saga.database;
  const kind = sagaReplyTopic(
    {
      starters: saga.starters,
      findOrder: (sagaId) => findSagaOrder(db, sagaId),
      refundLate: (payment, paymentId) => refundLatePayment(db, { ...payment, paymentId }),
    },
    topic,
  );
  bridge = await bench.startBridge({ topic, group, kind });
});

afterAll(async () => {
  await bridge.stop();
  await bench.close();
  await saga.close();
});

const newOrder = (paymentDeadlineMs: number): OrderSagaInput => {
  const orderId = randomUUID();
  return {
    orderId,
    userId: `user-${orderId}`,
    currency: "RUB",
    lines: [
      { lineNo: 1, serviceId: "music", quantity: 1, amountMinor: "700" },
      { lineNo: 2, serviceId: "delivery", quantity: 1, amountMinor: "300" },
    ],
    totalMinor: "1000",
    paymentMethod: "wallet",
    paidBy: "saga-commands",
    paymentDeadlineMs,
    comment: "test",
    requestHash: `hash-${orderId}`,
    correlationId: `correlation-${orderId}`,
    caller: "test",
  };
};

/** What the payment service would find on saga.commands. */
async function commandsOf(orderId: string): Promise<Record<string, unknown>[]> {
  const rows = await saga.database.db
    .select({ rawValue: outbox.rawValue })
    .from(outbox)
    .where(and(eq(outbox.topic, "saga.commands"), eq(outbox.aggregateId, orderId)))
    .orderBy(asc(outbox.id));
  return rows.map(({ rawValue }) => JSON.parse(String(rawValue)) as Record<string, unknown>);
}

const namesOf = async (orderId: string) => (await commandsOf(orderId)).map(({ command }) => command);
const untilAsked = (orderId: string) => until("the payment is asked for", async () => (await namesOf(orderId)).length > 0);

/** The payment service answers; settles when the bridge has taken it. */
async function answer(orderId: string, ...replies: Record<string, unknown>[]): Promise<void> {
  await bench.producer.send(
    topic,
    replies.map((reply) => eventMessage(orderId, { saga_id: orderId, ...reply })),
  );
  sent += BigInt(replies.length);
  await until("the replies are taken", async () => (await bench.committed(group, topic)) >= sent);
}

async function run(order: OrderSagaInput, meanwhile: () => Promise<void>): Promise<OrderOutcome | undefined> {
  const started = await saga.starters.startOrder(order);
  await untilAsked(order.orderId);
  await meanwhile();
  return started.outcome(WAIT_MS);
}

const COMMAND = { command: "CHARGE", amount: "10.00", currency: "RUB" };
const YES = { status: "SUCCEEDED", payment_id: "pay-1", error: null };
const NO_REFUND = { status: "FAILED", command: "REFUND", payment_id: null, error: "no" };
const STEP = refundStep(SAGA_REFUND);

const rowOf = (orderId: string) => getOrder(saga.database.db, orderId);

/** Cancels an order that was asked for, so that its REFUND is sent. */
async function cancelAfterAsking(order: OrderSagaInput): Promise<void> {
  await run(order, async () => void (await saga.starters.cancelOrder(order.orderId, "changed their mind")));
  expect(await namesOf(order.orderId)).toEqual(["CHARGE", "REFUND"]);
}

/** What orders.events tells of a stuck step. */
async function stuckEventsOf(orderId: string): Promise<unknown[]> {
  return saga.database.db
    .execute(sql`
    select payload ->> 'stuck' as stuck, payload ->> 'reason' as reason from outbox
     where topic = 'orders.events' and aggregate_id = ${orderId} and payload ? 'stuck' order by id`)
    .then((rows) => [...rows]);
}

describe("an order that another service is paid for", () => {
  it("is completed by the service's yes, also when that comes twice, and its revenue is booked once", async () => {
    const order = newOrder(WAIT_MS);
    const { orderId } = order;
    const outcome = await run(order, () => answer(orderId, YES, YES));
    await answer(orderId, YES);
    expect(outcome).toEqual({ orderId, sagaState: "COMPLETED", status: "CONFIRMED" });
    expect(await commandsOf(orderId)).toEqual([{ ...COMMAND, saga_id: orderId, order_id: orderId, user_id: order.userId }]);
    const row = await getOrder(saga.database.db, orderId);
    expect(row).toMatchObject({
      sagaState: "COMPLETED",
      payment: { status: "captured", providerReference: "pay-1", authorisedMinor: 1_000n, capturedMinor: 1_000n },
    });
    const [booked] = await saga.database.db.execute(sql`
      select count(*)::int as count, sum(amount_minor)::text as total from operations where order_id = ${orderId} and outcome = 'done'`);
    expect(booked).toMatchObject({ count: 1, total: "1000" });
    expect(await saga.balanceOf(order.userId)).toBeUndefined();
  });

  it("is undone by its no, which needs no refund, and a yes after that is given back", async () => {
    const order = newOrder(WAIT_MS);
    const { orderId } = order;
    const outcome = await run(order, () => answer(orderId, { status: "FAILED", error: "no\u0007 funds\non 4111111111111111" }));
    expect(outcome).toMatchObject({
      sagaState: "FAILED",
      failureCode: "PAYMENT_DECLINED",
      failureMessage: "the payment service refused: no  funds on ****1111",
    });
    expect(JSON.stringify(outcome)).not.toContain("4111111111111111");
    expect((await getOrder(saga.database.db, orderId))?.payment).toMatchObject({ status: "cancelled", authorisedMinor: 0n });
    expect(await namesOf(orderId)).toEqual(["CHARGE"]);
    await answer(orderId, YES);
    expect(await namesOf(orderId)).toEqual(["CHARGE", "REFUND"]);
  });

  it("is undone when no answer comes until its deadline, and a late yes is given back, once", async () => {
    const order = newOrder(DEADLINE_MS);
    const { orderId } = order;
    const outcome = await run(order, async () => {});
    expect(outcome).toMatchObject({ sagaState: "FAILED", status: "CANCELLED", failureCode: "PSP_UNAVAILABLE" });
    expect(await commandsOf(orderId)).toMatchObject([COMMAND, { ...COMMAND, command: "REFUND" }]);
    await answer(orderId, YES, YES);
    expect(await namesOf(orderId)).toEqual(["CHARGE", "REFUND", "REFUND"]);
    await answer(orderId, { ...YES, command: "REFUND" }, { status: "FAILED", command: "REFUND", error: "nothing to refund" });
    expect(await namesOf(orderId)).toHaveLength(3);
    expect(await getOrder(saga.database.db, orderId)).toMatchObject({ sagaState: "FAILED", payment: { status: "cancelled" } });
  });

  it("is undone with a refund when it is cancelled while it waits", async () => {
    const order = newOrder(WAIT_MS);
    const { orderId } = order;
    const outcome = await run(order, async () => {
      // It is asked for by a step, after which the order begins to wait.
      await until("it waits", async () => (await saga.starters.orderStatus(orderId))?.waitingFor !== undefined);
      expect(await saga.starters.orderStatus(orderId)).toMatchObject({
        sagaState: "PAYMENT_PENDING",
        waitingFor: expect.any(String) as string,
      });
      expect(await saga.starters.orderUndoPlan(orderId)).toMatchObject({ possible: true, steps: [{ amountMinor: "1000" }] });
      await saga.starters.cancelOrder(orderId, "changed their mind");
    });
    expect(outcome).toMatchObject({ sagaState: "FAILED", failureCode: "ORDER_CANCELLED" });
    expect(await namesOf(orderId)).toEqual(["CHARGE", "REFUND"]);
  });

  it("asks for nothing back when it was cancelled before it asked for anything", async () => {
    const order = newOrder(WAIT_MS);
    await saga.stopWorker();
    const started = await saga.starters.startOrder(order);
    const cancelled = saga.starters.cancelOrder(order.orderId, "at once");
    await saga.startWorker();
    await cancelled;
    const outcome = await started.outcome(WAIT_MS);
    const names = await namesOf(order.orderId);
    expect(outcome?.sagaState).toBe("FAILED");
    expect([[], ["CHARGE", "REFUND"]]).toContainEqual(names);
  });

  it("is stuck when its REFUND is refused, until the service says yes to another one", async () => {
    const order = newOrder(WAIT_MS);
    const { orderId } = order;
    const { refundStatus, actOnRefund } = saga.starters;
    await cancelAfterAsking(order);
    await answer(orderId, { ...NO_REFUND, error: "closed\u0007 account" });
    const reason = "the payment service refused to give the money back: closed  account";
    await until("it is stuck", async () => (await rowOf(orderId))?.stuckStep === STEP);
    expect(await refundStatus(orderId, SAGA_REFUND)).toMatchObject({ stuck: STEP, waitingFor: reason, possibleActs: ["retry", "settle"] });
    expect(await stuckEventsOf(orderId)).toEqual([{ stuck: STEP, reason }]);

    await actOnRefund(orderId, SAGA_REFUND, { act: "retry", reason: "opened again", actor: "olga" });
    await until("it is asked for again", async () => (await namesOf(orderId)).length === 3);
    expect((await commandsOf(orderId)).at(2)).toEqual((await commandsOf(orderId)).at(1));
    expect((await rowOf(orderId))?.stuckStep).toBe(STEP);
    await answer(orderId, { ...YES, command: "REFUND" });
    await until("it is not stuck any more", async () => (await rowOf(orderId))?.stuckStep === undefined);
    expect(await stuckEventsOf(orderId)).toEqual([
      { stuck: STEP, reason },
      { stuck: null, reason: "" },
    ]);
    await answer(orderId, NO_REFUND);
    expect((await rowOf(orderId))?.stuckStep).toBeUndefined();
  });

  it("whose refused REFUND was settled by hand says so, and nothing is stuck", async () => {
    const order = newOrder(WAIT_MS);
    const { orderId } = order;
    await cancelAfterAsking(order);
    await answer(orderId, NO_REFUND);
    await until("it is stuck", async () => (await rowOf(orderId))?.stuckStep === STEP);
    const api = createTestApi({ databaseUrl: saga.appUrl, starters: saga.starters });
    const path = `/api/v1/orders/${orderId}`;
    const act = (name: string) => api.call("POST", `${path}/operator-acts`, { body: { act: name, reason: "sent by transfer 4711" } });
    expect((await api.call("GET", path)).body).toMatchObject({ sagaState: "FAILED", stuck: { step: STEP } });
    expect((await act("skip")).body).toMatchObject({ code: "ACT_NOT_POSSIBLE" });
    expect((await act("settle")).status).toBe(202);
    await until("it is settled", async () => (await rowOf(orderId))?.settledByHand !== undefined);
    expect(await rowOf(orderId)).toMatchObject({ settledByHand: `settle "${STEP}" by local: sent by transfer 4711` });
    expect((await act("settle")).body).toMatchObject({ code: "ORDER_STATE_CONFLICT" });
    await api.close();
    expect((await rowOf(orderId))?.stuckStep).toBeUndefined();
    expect(await namesOf(orderId)).toEqual(["CHARGE", "REFUND"]);
  });

  it("is found by a refusal also when nobody waits for it, as of a REFUND that was sent by an earlier release", async () => {
    const order = newOrder(WAIT_MS);
    const { orderId } = order;
    await cancelAfterAsking(order);
    await saga.client.workflow.getHandle(orderRefundWorkflowId(orderId, SAGA_REFUND)).terminate("test");
    await answer(orderId, NO_REFUND);
    await until("it is stuck", async () => (await rowOf(orderId))?.stuckStep === STEP);
  });

  it("keeps replies to no order and to what was never asked as dead letters of dlq.saga", async () => {
    await answer(`nobody-${group}`, YES, NO_REFUND);
    const completed = newOrder(WAIT_MS);
    await run(completed, () => answer(completed.orderId, YES));
    await answer(completed.orderId, NO_REFUND);
    const { paidBy: _paidBy, ...byWallet } = newOrder(WAIT_MS);
    const byCard: OrderSagaInput = { ...byWallet, paymentMethod: "card", card: { cardToken: "token", last4: "4242", brand: "visa" } };
    const { orderId } = byCard;
    saga.psp.fail(orderId, "authorise", ["declined"]);
    expect(await (await saga.starters.startOrder(byCard)).outcome(WAIT_MS)).toMatchObject({ failureCode: "PAYMENT_DECLINED" });
    await answer(orderId, { ...YES, payment_id: "forged" }, NO_REFUND);

    const letters = await saga.database.db.select().from(deadLetters).where(eq(deadLetters.topic, topic)).orderBy(deadLetters.offset);
    expect(letters.map(({ code }) => code)).toEqual(["ORDER_NOT_FOUND", "ORDER_NOT_FOUND", "CONFLICT", "CONFLICT", "CONFLICT"]);
    expect(await commandsOf(orderId)).toEqual([]);
    expect((await rowOf(orderId))?.payment?.providerReference).toBeUndefined();
    expect(bridge.crashes).toEqual([]);
  });

  it("leaves books that add up", async () => {
    expect((await auditBooks(saga.database.db)).findings.filter(({ broken }) => broken > 0n)).toEqual([]);
  });
});
