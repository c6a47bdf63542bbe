import { describe, expect, it, vi } from "vitest";
import type { OrderOutcome, OrderSagaInput } from "../contract/orders.ts";
import type { Calls, Started } from "./calls.ts";
import { createEndedOrders } from "./ended-orders.ts";
import { createOrderStarters } from "./orders.ts";

const ORDER = {
  orderId: "o-1",
  userId: "ann",
  totalMinor: "100",
  currency: "RUB",
  paymentMethod: "wallet",
  comment: "",
  requestHash: "hash",
} as OrderSagaInput;
const COMPLETED = { orderId: "o-1", sagaState: "COMPLETED", status: "CONFIRMED" } as const;
const AT = new Date("2026-11-29T10:00:00Z");

/** The starters over calls that start one order, and how often its workflow was waited for. */
function create({ isHere = true, alreadyStarted = false, result = Promise.resolve<OrderOutcome | undefined>(undefined) } = {}) {
  const endedOrders = createEndedOrders();
  let polls = 0;
  const ahead: unknown[] = [];
  const started: Started<OrderOutcome> = {
    workflowId: "order/o-1",
    alreadyStarted,
    isHere,
    ...(alreadyStarted ? {} : { runId: "run-1" }),
    outcome: () => {
      polls += 1;
      return result;
    },
  };
  const calls = { start: () => Promise.resolve(started) } as unknown as Calls;
  const payAhead = (order: OrderSagaInput, run: unknown) => void ahead.push([order.orderId, run]);
  return { endedOrders, ahead, polls: () => polls, starters: createOrderStarters(calls, { eager: true, endedOrders, payAhead }) };
}

describe("the outcome of an order that was started", () => {
  it("comes from the process that committed its end, without a question to its workflow", async () => {
    const { endedOrders, starters, polls } = create();
    const started = await starters.startOrder(ORDER);
    endedOrders.tell({ orderId: "o-1", sagaState: "COMPLETED", paidAt: AT });
    expect(await started.outcome(10_000)).toEqual({ ...COMPLETED, paidAt: AT });
    expect(polls()).toBe(0);
  });

  it("comes from its workflow where another process has it", async () => {
    const { starters } = create({ isHere: false, result: Promise.resolve(COMPLETED) });
    expect(await (await starters.startOrder(ORDER)).outcome(10_000)).toEqual(COMPLETED);
  });

  it("comes from this process also while its workflow is waited for", async () => {
    const { endedOrders, starters, polls } = create({ isHere: false, result: new Promise(() => undefined) });
    const outcome = (await starters.startOrder(ORDER)).outcome(10_000);
    while (polls() === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    endedOrders.tell({ orderId: "o-1", sagaState: "FAILED" });
    expect(await outcome).toMatchObject({ sagaState: "FAILED", status: "CANCELLED" });
  });

  it("is kept for nobody once nobody waits for it", async () => {
    const { endedOrders, starters } = create({ isHere: false, result: Promise.resolve(COMPLETED) });
    const started = await starters.startOrder(ORDER);
    expect(endedOrders.size()).toBe(1);
    started.forget?.();
    expect(endedOrders.size()).toBe(0);
    await (await starters.startOrder(ORDER)).outcome(10_000);
    expect(endedOrders.size()).toBe(0);
  });

  it("comes from its workflow at once where the order was started before, whatever ends here meanwhile", async () => {
    const { endedOrders, starters, polls } = create({ alreadyStarted: true, result: Promise.resolve(COMPLETED) });
    const started = await starters.startOrder(ORDER);
    endedOrders.tell({ orderId: "o-1", sagaState: "FAILED" });
    expect(await started.outcome(10_000)).toEqual(COMPLETED);
    expect(polls()).toBe(1);
  });

  it.each<[string, OrderSagaInput, number]>([
    ["a wallet's order whose first task is here", ORDER, 0],
    ["an order by card", { ...ORDER, paymentMethod: "card", card: { cardToken: "token", last4: "4242", brand: "visa" } }, 1],
    ["an order that a payment service pays", { ...ORDER, paidBy: "saga-commands" }, 1],
  ])("of %s is asked of its workflow only where another process may end it", async (_what, order, asked) => {
    vi.useFakeTimers();
    try {
      const { starters, polls, endedOrders } = create({ result: new Promise(() => undefined) });
      const outcome = (await starters.startOrder(order)).outcome(10_000);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(polls()).toBe(asked);
      endedOrders.tell({ orderId: "o-1", sagaState: "COMPLETED" });
      expect(await outcome).toMatchObject(COMPLETED);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("an order's payment", () => {
  it("begins with its start where the first task is in this process", async () => {
    const { ahead, starters } = create();
    await starters.startOrder(ORDER);
    expect(ahead).toEqual([["o-1", { workflowId: "order/o-1", runId: "run-1" }]]);
  });

  it("is left to its workflow where another process has the task, where it was started before, and where no wallet pays", async () => {
    const cases = [
      [create({ isHere: false }), ORDER],
      [create({ isHere: false, alreadyStarted: true }), ORDER],
      [create(), { ...ORDER, paidBy: "saga-commands" }],
      [create(), { ...ORDER, card: { token: "t", last4: "1111", brand: "visa" } }],
    ] as const;
    for (const [{ ahead, starters }, order] of cases) {
      await starters.startOrder(order as OrderSagaInput);
      expect(ahead).toEqual([]);
    }
  });
});
