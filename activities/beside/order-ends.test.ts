import { MockActivityEnvironment } from "@temporalio/testing";
import { describe, expect, it } from "vitest";
import type { OrderEnd, OrderSagaInput } from "../../src/contract/orders.ts";
import type { OrderStanding } from "../../src/store/orders/orders.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import { until } from "../../test/support/until.ts";
import { tellingOrderEnds } from "./order-ends.ts";

const ORDER = { orderId: "o-1", correlationId: "req-1" } as OrderSagaInput;
const done = () => Promise.resolve();
const standing = (sagaState: OrderStanding["sagaState"]) => async (): Promise<OrderStanding> => ({
  created: true,
  sagaState,
  status: "PENDING",
  requestHash: "hash",
});

function create(steps: Partial<Parameters<typeof tellingOrderEnds>[0]> = {}) {
  const lines: Record<string, unknown>[] = [];
  const ignore = () => {};
  const logger = { debug: ignore, warn: ignore, error: ignore, info: (fields: Record<string, unknown>) => void lines.push(fields) };
  const rows = [{ orderId: "o-1", correlationId: "req-2", sagaState: "FAILED" }];
  const db = { select: () => ({ from: () => ({ where: async () => rows }) }) } as unknown as Db;
  const ends: OrderEnd[] = [];
  const activities = tellingOrderEnds(
    { createOrder: standing("STARTED"), captureOrder: done, chargeOrder: done, bookSagaPayment: done, cancelOrder: done, ...steps },
    { db, logger, tellOrderEnd: (end) => void ends.push(end) },
  );
  const run = <Input>(step: (input: Input) => Promise<unknown>, input: Input) =>
    new MockActivityEnvironment({ workflowExecution: { workflowId: "order/o-1", runId: "run" } }).run(step, input);
  return { activities, lines, ends, run };
}

describe("the end of an order", () => {
  it("is one line in the log, with the order's id, its request's correlation id and the outcome", async () => {
    const { activities, lines, ends, run } = create();
    await run(activities.captureOrder, ORDER);
    await run(activities.chargeOrder, { order: ORDER });
    await run(activities.bookSagaPayment, { order: ORDER });
    await run(activities.cancelOrder, { orderId: "o-1" });
    await until("each end is told", () => lines.length >= 4);
    const line = { event: "order.ended", orderId: "o-1", workflowId: "order/o-1", runId: "run" };
    expect(lines).toEqual([
      { ...line, outcome: "COMPLETED", correlationId: "req-1" },
      { ...line, outcome: "COMPLETED", correlationId: "req-1" },
      { ...line, outcome: "COMPLETED", correlationId: "req-1" },
      { ...line, outcome: "FAILED", correlationId: "req-2" },
    ]);
    expect(ends.map(({ sagaState }) => sagaState)).toEqual(["COMPLETED", "COMPLETED", "COMPLETED", "FAILED"]);
  });

  it("is told of an order that its first step has paid, and not of one that is only created or had ended before it was asked for", async () => {
    const { activities, lines, run } = create({ createOrder: standing("COMPLETED") });
    await run(activities.createOrder, { ...ORDER, payAtOnce: true });
    expect(lines).toMatchObject([{ event: "order.ended", outcome: "COMPLETED", correlationId: "req-1" }]);
    await run(activities.createOrder, ORDER);
    await run(create().activities.createOrder, { ...ORDER, payAtOnce: true });
    expect(lines).toHaveLength(1);
  });

  it("is not told of a step that failed", async () => {
    const { activities, lines, run } = create({ captureOrder: () => Promise.reject(new Error("away")) });
    await expect(run(activities.captureOrder, ORDER)).rejects.toThrow("away");
    expect(lines).toEqual([]);
  });
});
