import { describe, expect, it } from "vitest";
import { repeat } from "../../test/support/fake-page.ts";
import { FUNDS, newOrder, outcomeOf, useOrderServer } from "../../test/support/skipped-orders.ts";

const { useWorker } = useOrderServer();

describe.each([{ cacheSize: 100 }, { cacheSize: 0 }])("the order saga with $cacheSize workflows kept in memory", ({ cacheSize }) => {
  const { book, start } = useWorker(cacheSize);

  it("leaves an order alone whose row is another request's", async () => {
    const order = newOrder();
    const page = book.open(order.orderId, { fundsMinor: FUNDS });
    page.order = { state: "PAYMENT_PENDING", requestHash: "another" };
    expect(await outcomeOf(await start(order))).toMatchObject({ sagaState: "FAILED", failureCode: "IDEMPOTENCY_CONFLICT" });
    expect(page.order).toEqual({ state: "PAYMENT_PENDING", requestHash: "another" });
    expect(page.effects).toEqual([]);
  });

  it("leaves an order alone whose row is another request's, also when it learns of it only while it undoes", async () => {
    const order = newOrder();
    const page = book.open(order.orderId, { fundsMinor: FUNDS, script: { createOrder: repeat("away", 9) } });
    page.order = { state: "PAYMENT_PENDING", requestHash: "another" };
    expect(await outcomeOf(await start(order))).toMatchObject({ sagaState: "FAILED", failureCode: "IDEMPOTENCY_CONFLICT" });
    expect(page.order).toEqual({ state: "PAYMENT_PENDING", requestHash: "another" });
    expect(page.calls.releaseOrder ?? 0).toBe(0);
  });

  it("answers with the outcome of an earlier run that the server has forgotten", async () => {
    const failure = { code: "INSUFFICIENT_FUNDS", message: "too little" };
    const standings = [
      { state: "COMPLETED", requestHash: "hash" },
      { state: "FAILED", requestHash: "hash", failure },
    ] as const;
    for (const standing of standings) {
      const order = newOrder();
      book.open(order.orderId, { fundsMinor: FUNDS }).order = standing;
      const expected = standing.state === "FAILED" ? { failureCode: failure.code, failureMessage: failure.message } : {};
      expect(await outcomeOf(await start(order))).toMatchObject({ sagaState: standing.state, ...expected });
    }
  });

  it("goes on with the undoing of an earlier run, and the first reason stands", async () => {
    const order = newOrder();
    const page = book.open(order.orderId, { fundsMinor: FUNDS });
    page.order = { state: "COMPENSATING", requestHash: "hash", failure: { code: "INSUFFICIENT_FUNDS", message: "too little" } };
    expect(await outcomeOf(await start(order))).toMatchObject({ sagaState: "FAILED", failureCode: "INSUFFICIENT_FUNDS" });
    expect(page.order.state).toBe("FAILED");
  });
});
