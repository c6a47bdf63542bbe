import { randomUUID } from "node:crypto";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import type { OrderEnd, OrderSagaInput } from "../../src/contract/orders.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { beginCompensation, getOrder } from "../../src/store/orders/orders.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { createOrderActivities } from "./orders.ts";
import { createPayAtOnce } from "./pay-at-once.ts";

let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "ahead", laneCount: 2, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "ahead", laneCount: 2, deadlineMs: 10_000 });
});

afterAll(async () => {
  await Promise.all([ledger.close(), database.close()]);
  await testDatabase.drop();
});

/** An order of a wallet with money for it; its payment ahead; its first step; how many pairs of operations were posted for it. */
async function newOrder({ breaks = 0 } = {}) {
  const orderId = randomUUID();
  const order: OrderSagaInput = {
    orderId,
    userId: `user-${orderId}`,
    currency: "RUB",
    lines: [{ lineNo: 1, serviceId: "wash", quantity: 1, amountMinor: "700" }],
    totalMinor: "700",
    paymentMethod: "wallet",
    comment: "a test",
    requestHash: "hash",
    correlationId: "correlation",
    caller: "test",
  };
  const origin = { caller: "test", correlationId: "test" };
  await ledger.post(
    depositOperation({ key: `fund-${orderId}`, userId: order.userId, currency: "RUB", amountMinor: 700n, comment: "a test", origin }),
  );
  const run = { workflowId: orderWorkflowId(orderId), runId: randomUUID() };
  const ends: OrderEnd[] = [];
  let posts = 0;
  let broken = 0;
  const counted: Ledger = {
    ...ledger,
    postPair: (pair) => {
      posts += 1;
      broken += 1;
      return broken <= breaks ? Promise.reject(new Error("broken")) : ledger.postPair(pair);
    },
  };
  const deps = { db: database.db, ledger: counted, tellOrderEnd: (end: OrderEnd) => void ends.push(end) };
  const payAtOnce = createPayAtOnce(deps);
  const steps = createOrderActivities({ ...deps, payAtOnce });
  const step = () => new MockActivityEnvironment({ workflowExecution: run }).run(steps.createOrder, { ...order, payAtOnce: true as const });
  return { order, run, ends, payAtOnce, step, posts: () => posts };
}

const PAID = { created: true, sagaState: "COMPLETED", status: "CONFIRMED", requestHash: "hash" };

describe("an order that is paid ahead of its first step", () => {
  it("is paid once, and the step takes the payment over, whether it has ended or not", async () => {
    for (const endsToAwait of [0, 1]) {
      const { order, run, ends, payAtOnce, step, posts } = await newOrder();
      payAtOnce.ahead(order, run);
      while (ends.length < endsToAwait) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await step()).toEqual(PAID);
      expect([posts(), ends]).toEqual([1, [expect.objectContaining({ orderId: order.orderId, sagaState: "COMPLETED" })]]);
    }
    expect((await auditBooks(database.db)).ok).toBe(true);
  });

  it("has in its rows what it has when the step pays, also the run that pays", async () => {
    const { order, run, payAtOnce } = await newOrder();
    payAtOnce.ahead(order, run);
    const elsewhere = createOrderActivities({ db: database.db, ledger });
    const mock = new MockActivityEnvironment({ workflowExecution: run });
    // The step of another process, which knows of no payment ahead, finds its own keys with its own content.
    expect(await mock.run(elsewhere.createOrder, { ...order, payAtOnce: true as const })).toMatchObject({ sagaState: "COMPLETED" });
    expect(await getOrder(database.db, order.orderId)).toMatchObject({ sagaState: "COMPLETED", workflowId: run.workflowId, version: 3n });
  });

  it("is paid by the step where the payment ahead broke", async () => {
    const { order, run, ends, payAtOnce, step, posts } = await newOrder({ breaks: 1 });
    payAtOnce.ahead(order, run);
    while (posts() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await step()).toEqual(PAID);
    expect([posts(), ends.length]).toEqual([2, 1]);
  });

  it("is not paid after it was fenced, and the step says so", async () => {
    const { order, run, ends, payAtOnce, step } = await newOrder();
    const failure = { code: "ORDER_CANCELLED", message: "cancelled" };
    await beginCompensation(database.db, { ...order, workflowId: run.workflowId }, failure);
    payAtOnce.ahead(order, run);
    expect(await step()).toMatchObject({ sagaState: "COMPENSATING" });
    expect(ends).toEqual([]);
  });
});
