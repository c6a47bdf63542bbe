import { randomUUID } from "node:crypto";
import { MockActivityEnvironment } from "@temporalio/testing";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orderWorkflowId, paymentKey } from "../src/contract/ids.ts";
import type { OrderSagaInput } from "../src/contract/orders.ts";
import { createLedger, type Ledger } from "../src/store/ledger/ledger.ts";
import { beginPause, endPause, PAUSE_MEMORY_MS } from "../src/store/operators/pauses.ts";
import { createOrder, getOrder } from "../src/store/orders/orders.ts";
import { createDatabase, type Database } from "../src/store/postgres/database.ts";
import { createFakePsp, type FakePsp } from "../test/support/fake-psp.ts";
import { createTestDatabase, type TestDatabase } from "../test/support/test-database.ts";
import { withFailures } from "./failures.ts";
import { createOrderActivities } from "./orders/orders.ts";
import { createPaymentActivities } from "./payments.ts";

let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let psp: FakePsp;
let activities: ReturnType<typeof createPaymentActivities>;
let orderActivities: ReturnType<typeof createOrderActivities>;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "payment-activities", laneCount: 4, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "payment-activities", laneCount: 2, deadlineMs: 10_000 });
  psp = createFakePsp();
  activities = withFailures(createPaymentActivities({ db: database.db, ledger, psp }));
  orderActivities = withFailures(createOrderActivities({ db: database.db, ledger }));
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await testDatabase.drop();
});

/** An order by card that is written, and its steps as its own workflow runs them. */
async function newOrder() {
  const orderId = randomUUID();
  const order: OrderSagaInput = {
    orderId,
    userId: `user-${orderId}`,
    currency: "RUB",
    lines: [{ lineNo: 1, serviceId: `service-${orderId}`, quantity: 1, amountMinor: "10000" }],
    totalMinor: "10000",
    paymentMethod: "card",
    card: { cardToken: "token", last4: "4242", brand: "visa" },
    comment: "test",
    requestHash: "hash",
    correlationId: "test",
    caller: "test",
  };
  await createOrder(database.db, { ...order, workflowId: orderWorkflowId(orderId) });
  const run = <Input, Result>(step: (input: Input) => Promise<Result>, input: Input): Promise<Result> =>
    new MockActivityEnvironment({ workflowExecution: { workflowId: orderWorkflowId(orderId), runId: "run" } }).run(step, input);
  return {
    orderId,
    order,
    authorise: () => run(activities.authoriseCard, { order, cardToken: "token" }),
    pending: () => run(orderActivities.awaitCapture, { orderId }),
    capture: () => run(activities.captureCard, { order }),
    charge: () => run(activities.chargeOrder, { order }),
    refund: () => run(activities.refundCard, { order }),
    cancel: () => run(activities.cancelCardAuthorisation, { order }),
    payment: async () => (await getOrder(database.db, orderId))?.payment,
    revenue: async () => {
      const rows = await database.db.execute<{ minor: string }>(
        sql`select balance_minor::text as minor from accounts where kind = 'revenue' and owner = ${order.lines[0]?.serviceId ?? ""}`,
      );
      return BigInt(rows[0]?.minor ?? 0);
    },
  };
}

describe("the payment of an order by card", () => {
  it("is authorised, captured and booked once, however often each step is asked", async () => {
    const steps = await newOrder();
    for (const step of ["authorise", "authorise", "pending", "pending", "capture", "capture", "charge", "charge"] as const)
      await steps[step]();
    await Promise.all([steps.capture(), steps.charge(), steps.charge()]);
    expect(psp.captures(steps.orderId)).toBe(1);
    expect(await steps.revenue()).toBe(10_000n);
    expect(await steps.payment()).toMatchObject({
      status: "captured",
      authorisedMinor: 10_000n,
      capturedMinor: 10_000n,
      refundedMinor: 0n,
    });
  });

  it("asks the provider under keys of the order and the step, never of the attempt", async () => {
    const steps = await newOrder();
    psp.fail(steps.orderId, "authorise", ["lost"]);
    await expect(steps.authorise()).rejects.toMatchObject({ type: "PSP_UNAVAILABLE", nonRetryable: false });
    await steps.authorise();
    const keys = [...psp.book].filter(([, { orderId }]) => orderId === steps.orderId).map(([key]) => key);
    expect(keys).toEqual([paymentKey(steps.orderId, "authorise")]);
  });

  it("is final when the bank declines", async () => {
    const steps = await newOrder();
    psp.fail(steps.orderId, "authorise", ["declined"]);
    await expect(steps.authorise()).rejects.toMatchObject({ type: "PAYMENT_DECLINED", nonRetryable: true });
    expect(await steps.payment()).toMatchObject({ status: "declined" });
  });

  it("asks nothing of the provider while captures are paused", async () => {
    const steps = await newOrder();
    await steps.authorise();
    const target = { scope: "user", subject: steps.order.userId } as const;
    await beginPause(database.db, { ...target, reason: "a look", pausedBy: "test" });
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MEMORY_MS));
    await expect(steps.capture()).rejects.toMatchObject({ type: "PAUSED", nonRetryable: true });
    expect(psp.captures(steps.orderId)).toBe(0);
    await endPause(database.db, target);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MEMORY_MS));
    await steps.capture();
  });
});

describe("undoing it", () => {
  it("does nothing when nothing ever happened, and fences what comes late", async () => {
    const steps = await newOrder();
    await steps.refund();
    await steps.cancel();
    await expect(steps.authorise()).rejects.toMatchObject({ type: "PAYMENT_DECLINED" });
    expect(psp.netOf(steps.orderId)).toBe(0n);
  });

  it("gives a capture back once, also one whose answer was lost", async () => {
    const steps = await newOrder();
    await steps.authorise();
    psp.fail(steps.orderId, "capture", ["lost"]);
    await expect(steps.capture()).rejects.toMatchObject({ type: "PSP_UNAVAILABLE" });
    await Promise.all([steps.refund(), steps.refund()]);
    await steps.cancel();
    expect([psp.captures(steps.orderId), psp.netOf(steps.orderId)]).toEqual([1, 0n]);
    expect(await steps.payment()).toMatchObject({ status: "refunded", capturedMinor: 10_000n, refundedMinor: 10_000n });
  });

  it("gives a capture back that came between the look for one and the cancellation", async () => {
    const steps = await newOrder();
    await steps.authorise();
    await steps.capture();
    // The look-up is older than the capture.
    psp.fail(steps.orderId, "lookUp", ["lost"]);
    await steps.refund();
    expect([psp.captures(steps.orderId), psp.netOf(steps.orderId)]).toEqual([1, 0n]);
  });

  it("lets no capture through that comes after the cancellation", async () => {
    const steps = await newOrder();
    await steps.authorise();
    await steps.cancel();
    await expect(steps.capture()).rejects.toMatchObject({ type: "PAYMENT_DECLINED" });
    expect(await steps.payment()).toMatchObject({ status: "cancelled", capturedMinor: 0n });
  });
});
