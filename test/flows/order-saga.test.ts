import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import type { OrderOutcome, OrderSagaInput } from "../../src/contract/orders.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createOrder, getOrder } from "../../src/store/orders/orders.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { untilAdmitted } from "../support/until-admitted.ts";
import { until } from "../support/until.ts";

const TOTAL = 10_000n;
const WAIT_MS = 60_000;
/** What design.md allows a wallet order: a history grows with every order for ever. */
const MAX_EVENTS = 14;
let bench: SagaBench;

beforeAll(async () => {
  bench = await openSagaBench({ redisUrl: inject("redisUrl") });
});

afterAll(() => bench.close());

const newOrder = (): OrderSagaInput => {
  const orderId = randomUUID();
  return {
    orderId,
    userId: `user-${orderId}`,
    currency: "RUB",
    lines: [
      { lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: "7000" },
      { lineNo: 2, serviceId: "delivery", quantity: 2, amountMinor: "3000" },
    ],
    totalMinor: TOTAL.toString(),
    paymentMethod: "wallet",
    comment: "test",
    requestHash: `hash-${orderId}`,
    correlationId: `correlation-${orderId}`,
    caller: "test",
  };
};

async function outcomeOf(order: OrderSagaInput, of: SagaBench = bench): Promise<OrderOutcome> {
  const outcome = await (await of.starters.startOrder(order)).outcome(WAIT_MS);
  if (outcome === undefined) throw new Error("the order did not end");
  return outcome;
}

/** The row says what the workflow says, nothing is held, and the money is where the outcome says. */
async function expectDefiniteEnd(order: OrderSagaInput, outcome: OrderOutcome, of: SagaBench = bench): Promise<void> {
  const row = await getOrder(of.database.db, order.orderId);
  expect(row).toMatchObject({ sagaState: outcome.sagaState, status: outcome.status });
  expect(row?.failureCode).toBe(outcome.failureCode);
  const balance = await of.balanceOf(order.userId);
  expect(balance?.heldMinor).toBe(0n);
  expect(balance?.availableMinor).toBe(outcome.sagaState === "COMPLETED" ? 0n : TOTAL);
}

async function foundBy(query: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { workflowId } of bench.client.workflow.list({ query })) found.push(workflowId);
  return found;
}

describe("an order", () => {
  it("is completed in few events", async () => {
    const order = newOrder();
    await bench.fund(order.userId, TOTAL);
    const outcome = await outcomeOf(order);
    expect(outcome).toEqual({ orderId: order.orderId, sagaState: "COMPLETED", status: "CONFIRMED" });
    await expectDefiniteEnd(order, outcome);
    const { events } = await bench.client.workflow.getHandle(orderWorkflowId(order.orderId)).fetchHistory();
    expect(events?.length).toBeLessThanOrEqual(MAX_EVENTS);
    expect(await bench.balanceOf(order.userId)).toMatchObject({ availableMinor: 0n, heldMinor: 0n });
  });

  it("fails without the funds, and is found by its state, its user and its correlation id", async () => {
    const order = newOrder();
    await bench.fund(order.userId, TOTAL - 1n);
    expect(await outcomeOf(order)).toMatchObject({ sagaState: "FAILED", status: "CANCELLED", failureCode: "INSUFFICIENT_FUNDS" });
    expect(await bench.balanceOf(order.userId)).toMatchObject({ availableMinor: TOTAL - 1n, heldMinor: 0n });
    expect(await getOrder(bench.database.db, order.orderId)).toMatchObject({ sagaState: "FAILED", failureCode: "INSUFFICIENT_FUNDS" });
    const workflowId = orderWorkflowId(order.orderId);
    await until("the failed order is found", async () => (await foundBy('SagaState = "FAILED"')).includes(workflowId));
    expect(await foundBy(`UserId = "${order.userId}"`)).toEqual([workflowId]);
    expect(await foundBy(`CorrelationId = "${order.correlationId}"`)).toEqual([workflowId]);
    expect(await foundBy(`SagaState = "COMPLETED" and UserId = "${order.userId}"`)).toEqual([]);
  });

  it("is run once under its id, however often and at once it is started", async () => {
    const order = newOrder();
    await bench.fund(order.userId, TOTAL * 3n);
    const started = await Promise.all(Array.from({ length: 10 }, () => bench.starters.startOrder(order)));
    expect(started.filter(({ alreadyStarted }) => !alreadyStarted)).toHaveLength(1);
    const outcomes = await Promise.all(started.map((one) => one.outcome(WAIT_MS)));
    expect(new Set(outcomes.map((outcome) => outcome?.sagaState))).toEqual(new Set(["COMPLETED"]));
    const later = await bench.starters.startOrder(order);
    expect(later.alreadyStarted).toBe(true);
    expect(await later.outcome(WAIT_MS)).toEqual(outcomes[0]);
    expect((await bench.balanceOf(order.userId))?.availableMinor).toBe(TOTAL * 2n);
  });

  it("does not touch the row of another request under its id", async () => {
    const order = newOrder();
    await bench.fund(order.userId, TOTAL);
    await createOrder(bench.database.db, { ...order, requestHash: "another", workflowId: "another" });
    expect(await outcomeOf(order)).toMatchObject({ sagaState: "FAILED", failureCode: "IDEMPOTENCY_CONFLICT" });
    expect(await getOrder(bench.database.db, order.orderId)).toMatchObject({ sagaState: "STARTED", requestHash: "another", version: 1n });
    expect((await bench.balanceOf(order.userId))?.availableMinor).toBe(TOTAL);
  });

  it("is shown as stuck while its capture does not get through, and is completed when it does", async () => {
    const order = newOrder();
    await bench.fund(order.userId, TOTAL);
    bench.loseCaptures = true;
    const workflowId = orderWorkflowId(order.orderId);
    const started = await bench.starters.startOrder(order);
    await until("the order is found as stuck", async () => (await foundBy("Stuck = true")).includes(workflowId));
    expect(await bench.starters.orderStatus(order.orderId)).toMatchObject({ sagaState: "PAYMENT_PENDING", step: "capture the money" });
    bench.loseCaptures = false;
    const outcome = (await started.outcome(WAIT_MS)) as OrderOutcome;
    expect(outcome.sagaState).toBe("COMPLETED");
    await expectDefiniteEnd(order, outcome);
    await until("the order is not stuck any more", async () => (await foundBy("Stuck = true")).length === 0);
  });

  it("answers nothing to who cancels or asks for what is not there or has ended", async () => {
    const order = newOrder();
    expect(await bench.starters.cancelOrder(order.orderId, "never was")).toBeUndefined();
    expect(await bench.starters.orderStatus(order.orderId)).toBeUndefined();
    await bench.fund(order.userId, TOTAL);
    await outcomeOf(order);
    expect(await bench.starters.cancelOrder(order.orderId, "too late")).toBeUndefined();
    expect(await bench.starters.orderStatus(order.orderId)).toBeUndefined();
  });
});

describe("an order that is cancelled", () => {
  it("before any worker took it, fails without touching the money; others go on", async () => {
    const orders = Array.from({ length: 12 }, newOrder);
    await Promise.all(orders.map(({ userId }) => bench.fund(userId, TOTAL)));
    await bench.stopWorker();
    const started = await Promise.all(orders.map((order) => bench.starters.startOrder(order)));
    const cancels = orders.map(({ orderId }, n) => (n % 2 === 0 ? bench.starters.cancelOrder(orderId, "changed their mind") : undefined));
    for (const [n, { orderId }] of orders.entries())
      if (n % 2 === 0) await untilAdmitted(bench.client, { workflowId: orderWorkflowId(orderId), updateId: "cancel" });
    await bench.startWorker();
    for (const [n, order] of orders.entries()) {
      const outcome = (await started[n]?.outcome(WAIT_MS)) as OrderOutcome;
      expect(outcome).toMatchObject(n % 2 === 0 ? { sagaState: "FAILED", failureCode: "ORDER_CANCELLED" } : { sagaState: "COMPLETED" });
      if (n % 2 === 0) expect(await cancels[n]).toEqual(outcome);
      await expectDefiniteEnd(order, outcome);
    }
  });

  it("at any moment has one definite outcome, and whoever cancelled learns that one", async () => {
    const orders = Array.from({ length: 40 }, newOrder);
    await Promise.all(orders.map(({ userId }) => bench.fund(userId, TOTAL)));
    await Promise.all(
      orders.map(async (order, n) => {
        const starting = bench.starters.startOrder(order);
        await sleep(n * 2);
        const handle = bench.client.workflow.getHandle(orderWorkflowId(order.orderId));
        const cancelling = n % 2 === 0 ? bench.starters.cancelOrder(order.orderId, "race") : handle.cancel().catch(() => undefined);
        const outcome = (await (await starting).outcome(WAIT_MS)) as OrderOutcome;
        const answer = await cancelling;
        if (n % 2 === 0 && answer !== undefined) expect(answer).toEqual(outcome);
        await expectDefiniteEnd(order, outcome);
      }),
    );
  });
});

describe("an order without a Redis", () => {
  it.each([{ redisUrl: undefined }, { redisUrl: "redis://127.0.0.1:1" }])("ends as with one: $redisUrl", async ({ redisUrl }) => {
    const without = await openSagaBench({ redisUrl });
    try {
      const [rich, poor] = [newOrder(), newOrder()];
      await without.fund(rich.userId, TOTAL);
      await without.fund(poor.userId, TOTAL - 1n);
      const outcome = await outcomeOf(rich, without);
      expect(outcome.sagaState).toBe("COMPLETED");
      await expectDefiniteEnd(rich, outcome, without);
      expect(await outcomeOf(poor, without)).toMatchObject({ sagaState: "FAILED", failureCode: "INSUFFICIENT_FUNDS" });
    } finally {
      await without.close();
    }
  });
});

describe("the books", () => {
  it("are right after all of it", async () => {
    expect((await auditBooks(bench.database.db)).findings.filter(({ broken }) => broken > 0n)).toEqual([]);
  });
});
