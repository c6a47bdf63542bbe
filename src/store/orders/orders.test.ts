import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { captureOrderOperation, holdOrderOperation } from "../../domain/ledger/hold-operations.ts";
import { depositOperation } from "../../domain/ledger/wallet-operations.ts";
import { createLedger, type Ledger } from "../ledger/ledger.ts";
import { createDatabase, type Database } from "../postgres/database.ts";
import { beginCompensation, changeOrderState, createOrder, getOrder, type NewOrder } from "./orders.ts";

const FAILURE = { code: "INSUFFICIENT_FUNDS", message: "too little" };
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let sql: postgres.Sql;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "orders-test", laneCount: 4, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "orders-test", laneCount: 1, deadlineMs: 10_000 });
  sql = postgres(testDatabase.adminUrl, { max: 1, onnotice: () => {} });
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await sql.end();
  await testDatabase.drop();
});

const newOrder = (changes: Partial<NewOrder> = {}): NewOrder => {
  const orderId = randomUUID();
  return {
    orderId,
    userId: `user-${orderId}`,
    currency: "RUB",
    lines: [
      { lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: "7000" },
      { lineNo: 2, serviceId: "delivery", quantity: 3, amountMinor: "3000" },
    ],
    totalMinor: "10000",
    paymentMethod: "wallet",
    comment: "O'Brien; drop table orders --",
    requestHash: "hash",
    correlationId: "correlation",
    caller: "test",
    workflowId: `order/${orderId}`,
    ...changes,
  };
};
const rowOf = async ({ orderId }: NewOrder) => {
  const order = await getOrder(database.db, orderId);
  if (order === undefined) throw new Error("there is no such order");
  return order;
};
/** The states that were announced, in their order, with the version each had. */
const announced = async ({ orderId }: NewOrder): Promise<string[]> => {
  const rows = await sql`select payload from outbox where aggregate_type = 'order' and aggregate_id = ${orderId} order by id`;
  return rows.map(({ payload }) => {
    const { sagaState, version } = payload as { sagaState: string; version: string };
    return `${sagaState} ${version}`;
  });
};
const operationOf = (order: NewOrder, step: "hold" | "capture") => ({
  ...order,
  key: `${order.workflowId}:${step}`,
  origin: { caller: "test", correlationId: "test" },
});
const hold = (order: NewOrder) =>
  ledger.post(
    holdOrderOperation({
      ...operationOf(order, "hold"),
      expiresAt: "2030-01-01T00:00:00Z",
      orderChange: { orderId: order.orderId, from: "STARTED", to: "PAYMENT_PENDING", status: "PENDING" },
    }),
  );
const capture = (order: NewOrder) =>
  ledger.post(
    captureOrderOperation({
      ...operationOf(order, "capture"),
      orderChange: { orderId: order.orderId, from: "PAYMENT_PENDING", to: "COMPLETED", status: "CONFIRMED" },
    }),
  );
const fund = (order: NewOrder) =>
  ledger.post(
    depositOperation({
      key: `fund-${order.orderId}`,
      userId: order.userId,
      currency: "RUB",
      amountMinor: 10_000n,
      comment: "test",
      origin: { caller: "test", correlationId: "test" },
    }),
  );

describe("creating an order", () => {
  it("writes the row, its lines and its event, and tells that it is new", async () => {
    const order = newOrder();
    expect(await createOrder(database.db, order)).toEqual({ created: true, sagaState: "STARTED", status: "PENDING", requestHash: "hash" });
    const { lines, caller: _caller, correlationId: _correlationId, ...rest } = order;
    expect(await rowOf(order)).toMatchObject({
      ...rest,
      totalMinor: 10_000n,
      version: 1n,
      items: lines.map(({ lineNo, serviceId, quantity, amountMinor }) => ({
        lineNo,
        serviceId,
        quantity,
        amountMinor: BigInt(amountMinor),
      })),
    });
    expect(await announced(order)).toEqual(["STARTED 1"]);
  });

  it("changes nothing the second time, and tells how the order stands by then", async () => {
    const order = newOrder();
    await createOrder(database.db, order);
    await fund(order);
    await hold(order);
    const before = await rowOf(order);
    expect(await createOrder(database.db, order)).toMatchObject({ created: false, sagaState: "PAYMENT_PENDING", requestHash: "hash" });
    expect(await rowOf(order)).toEqual(before);
    expect(await announced(order)).toEqual(["STARTED 1", "PAYMENT_PENDING 2"]);
  });

  it("creates it once when many do at once", async () => {
    const order = newOrder();
    const standings = await Promise.all(Array.from({ length: 20 }, () => createOrder(database.db, order)));
    expect(standings.filter(({ created }) => created)).toHaveLength(1);
    expect((await rowOf(order)).items).toHaveLength(2);
    expect(await announced(order)).toEqual(["STARTED 1"]);
  });

  it("leaves another request's order alone and shows whose it is", async () => {
    const order = newOrder();
    await createOrder(database.db, order);
    const before = await rowOf(order);
    const other = { ...order, requestHash: "other", totalMinor: "1", lines: [], userId: "eve" };
    expect(await createOrder(database.db, other)).toMatchObject({ created: false, requestHash: "hash" });
    expect(await rowOf(order)).toEqual(before);
  });
});

describe("beginning to compensate an order", () => {
  it("moves it to COMPENSATING with the first reason, which stands when it is asked again with another", async () => {
    const order = newOrder();
    await createOrder(database.db, order);
    expect(await beginCompensation(database.db, order, FAILURE)).toMatchObject({ sagaState: "COMPENSATING", failureCode: FAILURE.code });
    const again = await beginCompensation(database.db, order, { code: "ORDER_STATE_CONFLICT", message: "seen the second time" });
    expect(again).toMatchObject({ sagaState: "COMPENSATING", failureCode: FAILURE.code, failureMessage: FAILURE.message });
    expect(await rowOf(order)).toMatchObject({ failureCode: FAILURE.code, status: "PENDING", version: 2n });
    const [told] =
      await sql`select payload from outbox where aggregate_type = 'order' and aggregate_id = ${order.orderId} order by id desc limit 1`;
    expect(told?.["payload"]).toMatchObject({ sagaState: "COMPENSATING", failureCode: FAILURE.code, failureMessage: FAILURE.message });
    expect(await announced(order)).toEqual(["STARTED 1", "COMPENSATING 2"]);
  });

  it("refuses a hold and a creation that come after it", async () => {
    const order = newOrder();
    await fund(order);
    await beginCompensation(database.db, order, FAILURE);
    expect(await createOrder(database.db, order)).toMatchObject({ created: false, sagaState: "COMPENSATING" });
    expect(await hold(order)).toMatchObject({ outcome: "refused", code: "ORDER_STATE_CONFLICT" });
    expect(await rowOf(order)).toMatchObject({
      sagaState: "COMPENSATING",
      failureCode: FAILURE.code,
      items: [{ lineNo: 1 }, { lineNo: 2 }],
    });
    expect(await announced(order)).toEqual(["COMPENSATING 1"]);
    expect(await sql`select 1 from holds where order_id = ${order.orderId}`).toHaveLength(0);
  });

  it("refuses a capture that comes after it", async () => {
    const order = newOrder();
    await fund(order);
    await createOrder(database.db, order);
    await hold(order);
    await beginCompensation(database.db, order, FAILURE);
    expect(await capture(order)).toMatchObject({ outcome: "refused", code: "ORDER_STATE_CONFLICT" });
    expect(await sql`select status from holds where order_id = ${order.orderId}`).toEqual([{ status: "held" }, { status: "held" }]);
  });

  it("leaves an order COMPLETED whose capture came first, and says so", async () => {
    const order = newOrder();
    await fund(order);
    await createOrder(database.db, order);
    await hold(order);
    await capture(order);
    const before = await rowOf(order);
    expect(await beginCompensation(database.db, order, FAILURE)).toMatchObject({ sagaState: "COMPLETED", status: "CONFIRMED" });
    expect(await rowOf(order)).toEqual(before);
  });

  it("never touches another request's order, whatever state that is in", async () => {
    const order = newOrder();
    await fund(order);
    await createOrder(database.db, order);
    for (const step of [() => Promise.resolve(), () => hold(order)]) {
      await step();
      const before = await rowOf(order);
      expect(await beginCompensation(database.db, { ...order, requestHash: "other" }, FAILURE)).toMatchObject({ requestHash: "hash" });
      expect(await rowOf(order)).toEqual(before);
    }
  });

  it("moves the order also when its late creation comes between its own two statements", async () => {
    const order = newOrder();
    let statements = 0;
    const raced: Database["db"] = Object.create(database.db, {
      execute: {
        value: async (query: Parameters<Database["db"]["execute"]>[0]) => {
          const rows = await database.db.execute(query);
          statements += 1;
          if (statements === 1) await createOrder(database.db, order);
          return rows;
        },
      },
    }) as Database["db"];
    expect(await beginCompensation(raced, order, FAILURE)).toMatchObject({ sagaState: "COMPENSATING", failureCode: FAILURE.code });
    expect(await announced(order)).toEqual(["STARTED 1", "COMPENSATING 2"]);
  });

  it("fences the order whichever of it, a creation, a hold and a capture comes first", async () => {
    const orders = Array.from({ length: 40 }, () => newOrder());
    await Promise.all(orders.map(fund));
    const standings = await Promise.all(
      orders.map(async (order) => {
        const [standing] = await Promise.all([
          beginCompensation(database.db, order, FAILURE),
          createOrder(database.db, order)
            .then(() => hold(order))
            .then(() => capture(order)),
        ]);
        return standing;
      }),
    );
    for (const [place, order] of orders.entries()) {
      const { sagaState } = await rowOf(order);
      // What it answered is what stands, and nothing moves away from it by itself.
      expect(sagaState).toBe(standings[place]?.sagaState);
      expect(["COMPENSATING", "COMPLETED"]).toContain(sagaState);
    }
  });
});

describe("moving an order from one state to the next", () => {
  it("ends a compensation once, also when it is asked again", async () => {
    const order = newOrder();
    await beginCompensation(database.db, order, FAILURE);
    const move = () => changeOrderState(database.db, { orderId: order.orderId, from: "COMPENSATING", to: "FAILED" });
    await move();
    await Promise.all([move(), move(), move()]);
    expect(await rowOf(order)).toMatchObject({ sagaState: "FAILED", status: "CANCELLED", version: 2n, failureCode: FAILURE.code });
    expect(await announced(order)).toEqual(["COMPENSATING 1", "FAILED 2"]);
  });

  it("refuses a move that no order may make", async () => {
    const order = newOrder();
    await createOrder(database.db, order);
    const moves = [
      ["STARTED", "COMPLETED"],
      ["STARTED", "FAILED"],
      ["COMPLETED", "COMPENSATING"],
      ["FAILED", "STARTED"],
    ] as const;
    for (const [from, to] of moves)
      await expect(changeOrderState(database.db, { orderId: order.orderId, from, to }), `${from} ${to}`).rejects.toMatchObject({
        code: "ORDER_STATE_CONFLICT",
      });
    expect(await rowOf(order)).toMatchObject({ sagaState: "STARTED", version: 1n });
  });

  it("refuses a move from a state the order is not in, and one of an order that is not there", async () => {
    const order = newOrder();
    await createOrder(database.db, order);
    const move = (orderId: string) => changeOrderState(database.db, { orderId, from: "COMPENSATING", to: "FAILED" });
    await expect(move(order.orderId)).rejects.toMatchObject({ code: "ORDER_STATE_CONFLICT" });
    await expect(move(randomUUID())).rejects.toMatchObject({ code: "ORDER_NOT_FOUND" });
  });
});
