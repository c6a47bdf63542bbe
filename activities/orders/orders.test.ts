import { randomUUID } from "node:crypto";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import type { OrderSagaInput } from "../../src/contract/orders.ts";
import { orderHoldId } from "../../src/domain/ledger/hold-operations.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { readBalances } from "../../src/store/ledger/balances.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { getOrder } from "../../src/store/orders/orders.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { getHold } from "../../src/store/reservations/holds.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { withFailures } from "../failures.ts";
import { createOrderActivities } from "./orders.ts";

const FAILURE = { code: "ORDER_CANCELLED", message: "the order was cancelled" };
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let activities: ReturnType<typeof createOrderActivities>;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "order-activities", laneCount: 4, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "order-activities", laneCount: 2, deadlineMs: 10_000 });
  activities = withFailures(createOrderActivities({ db: database.db, ledger }));
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await testDatabase.drop();
});

/** An order with the money for it, and its steps as its own workflow runs them. */
async function newOrder({ fundsMinor = 10_000n } = {}) {
  const orderId = randomUUID();
  const order: OrderSagaInput = {
    orderId,
    userId: `user-${orderId}`,
    currency: "RUB",
    lines: [
      { lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: "7000" },
      { lineNo: 2, serviceId: "delivery", quantity: 1, amountMinor: "3000" },
    ],
    totalMinor: "10000",
    paymentMethod: "wallet",
    comment: "test",
    requestHash: "hash",
    correlationId: "test",
    caller: "test",
  };
  const origin = { caller: "test", correlationId: "test" };
  await ledger.post(
    depositOperation({ key: `fund-${orderId}`, userId: order.userId, currency: "RUB", amountMinor: fundsMinor, comment: "test", origin }),
  );
  const run = <Input, Result>(activity: (input: Input) => Promise<Result>, input: Input): Promise<Result> =>
    new MockActivityEnvironment({ workflowExecution: { workflowId: orderWorkflowId(orderId), runId: "run" } }).run(activity, input);
  const expiresAt = "2030-01-01T00:00:00Z";
  return {
    order,
    create: () => run(activities.createOrder, order),
    hold: () => run(activities.holdOrder, { order, expiresAt }),
    capture: () => run(activities.captureOrder, order),
    beginCompensation: () => run(activities.beginCompensation, { order, failure: FAILURE }),
    release: () => run(activities.releaseOrder, order),
    cancel: () => run(activities.cancelOrder, { orderId }),
  };
}

type Steps = Awaited<ReturnType<typeof newOrder>>;

/** Money, holds and row, all that a second call must leave as it is. */
async function worldOf({ order }: Steps) {
  const [balance] = await readBalances(database.db, [order]);
  const holds = await Promise.all(order.lines.map(({ lineNo }) => getHold(database.db, orderHoldId(order.orderId, lineNo))));
  return { balance, holds: holds.filter((hold) => hold !== undefined), row: await getOrder(database.db, order.orderId) };
}

async function through(steps: Steps, names: readonly (keyof Omit<Steps, "order">)[]): Promise<void> {
  for (const name of names) await steps[name]();
}

const STEPS = ["create", "hold", "capture"] as const;
const UNDOING = ["create", "hold", "beginCompensation", "release", "cancel"] as const;

describe("a step of an order", () => {
  it.each([
    ...STEPS.map((step, place) => ({ step, before: STEPS.slice(0, place) })),
    ...UNDOING.slice(2).map((step, place) => ({ step, before: UNDOING.slice(0, place + 2) })),
  ])("changes nothing when $step is asked again", async ({ step, before }) => {
    const steps = await newOrder();
    await through(steps, [...before, step]);
    const world = await worldOf(steps);
    await steps[step]();
    expect(await worldOf(steps)).toEqual(world);
  });

  it.each([
    ...STEPS.map((step, place) => ({ step, before: STEPS.slice(0, place) })),
    ...UNDOING.slice(2).map((step, place) => ({ step, before: UNDOING.slice(0, place + 2) })),
  ])("has one effect when $step is asked by many at once", async ({ step, before }) => {
    const steps = await newOrder();
    await through(steps, before);
    await Promise.all(Array.from({ length: 8 }, () => steps[step]()));
    const once = await newOrder();
    await through(once, [...before, step]);
    const [many, one] = [await worldOf(steps), await worldOf(once)];
    expect(many.balance).toEqual({ ...one.balance, userId: steps.order.userId });
    expect(many.row?.version).toBe(one.row?.version);
    expect(many.holds.map(({ status }) => status)).toEqual(one.holds.map(({ status }) => status));
  });
});

describe("the money of an order", () => {
  it("is held and captured line by line, and the order is completed with it", async () => {
    const steps = await newOrder({ fundsMinor: 12_000n });
    await through(steps, ["create", "hold"]);
    expect(await worldOf(steps)).toMatchObject({
      balance: { availableMinor: 2_000n, heldMinor: 10_000n },
      row: { sagaState: "PAYMENT_PENDING" },
    });
    await steps.capture();
    expect(await worldOf(steps)).toMatchObject({
      balance: { availableMinor: 2_000n, heldMinor: 0n },
      row: { sagaState: "COMPLETED", status: "CONFIRMED" },
      holds: [{ status: "confirmed" }, { status: "confirmed" }],
    });
  });

  it("is not touched when it does not suffice, and stays refused when it comes later", async () => {
    const steps = await newOrder({ fundsMinor: 9_999n });
    await steps.create();
    for (let n = 0; n < 2; n += 1) {
      await expect(steps.hold()).rejects.toMatchObject({ type: "INSUFFICIENT_FUNDS", nonRetryable: true });
      await ledger.post(
        depositOperation({
          key: `more-${n}-${steps.order.orderId}`,
          userId: steps.order.userId,
          currency: "RUB",
          amountMinor: 5_000n,
          comment: "test",
          origin: { caller: "test", correlationId: "test" },
        }),
      );
    }
    expect(await worldOf(steps)).toMatchObject({ balance: { heldMinor: 0n }, holds: [], row: { sagaState: "STARTED" } });
  });

  it("comes back as a whole by the compensation, and the row tells why", async () => {
    const steps = await newOrder();
    await through(steps, UNDOING);
    expect(await worldOf(steps)).toMatchObject({
      balance: { availableMinor: 10_000n, heldMinor: 0n },
      row: { sagaState: "FAILED", status: "CANCELLED", failureCode: "ORDER_CANCELLED" },
      holds: [{ status: "released" }, { status: "released" }],
    });
  });

  it("is not held by a step that comes after the compensation began, nor after it ended", async () => {
    const steps = await newOrder();
    await steps.beginCompensation();
    expect(await steps.create()).toMatchObject({ created: false, sagaState: "COMPENSATING" });
    await expect(steps.hold()).rejects.toMatchObject({ type: "ORDER_STATE_CONFLICT", nonRetryable: true });
    await through(steps, ["release", "cancel"]);
    expect(await steps.create()).toMatchObject({ created: false, sagaState: "FAILED" });
    await expect(steps.hold()).rejects.toMatchObject({ type: "ORDER_STATE_CONFLICT" });
    await expect(steps.capture()).rejects.toMatchObject({ nonRetryable: true });
    expect(await worldOf(steps)).toMatchObject({ balance: { availableMinor: 10_000n, heldMinor: 0n }, holds: [] });
  });

  it("is not given back once it was captured, whatever is asked", async () => {
    const steps = await newOrder();
    await through(steps, STEPS);
    const world = await worldOf(steps);
    expect(await steps.beginCompensation()).toMatchObject({ sagaState: "COMPLETED" });
    await expect(steps.release()).rejects.toMatchObject({ type: "ALREADY_CONFIRMED" });
    await expect(steps.cancel()).rejects.toMatchObject({ type: "ORDER_STATE_CONFLICT" });
    expect(await worldOf(steps)).toEqual(world);
  });
});
