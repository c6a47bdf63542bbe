import { randomUUID } from "node:crypto";
import { Client, type WorkflowHandle, type WorkflowStartOptions } from "@temporalio/client";
import { afterAll, beforeAll, expect } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import type { OrderOutcome, OrderSagaInput } from "../../src/contract/orders.ts";
import { createFakeBook, type FakeBook } from "./fake-book.ts";
import type { Page } from "./fake-page.ts";
import { startTimeSkipping, type TimeSkipping } from "./time-skipping.ts";

/** What an order costs, and what its user has unless a test says otherwise. */
export const FUNDS = 10_000n;
/** The fast tries of one step: one call and three retries. */
export const FAST = 4;

// The effects of a wallet order, by how far it came.
export const COMPLETED = ["createOrder", "holdOrder", "captureOrder"];
export const UNDONE = ["createOrder", "holdOrder", "beginCompensation", "releaseOrder", "cancelOrder"];
export const NEVER_HELD = ["createOrder", "beginCompensation", "cancelOrder"];
export const NEVER_CREATED = ["beginCompensation", "cancelOrder"];
/** The steps of the compensation, in their order. */
export const UNDO_STEPS = ["beginCompensation", "releaseOrder", "cancelOrder"] as const;

/** A wallet order of its own, with what the test changes. */
export function newOrder(changes: Partial<OrderSagaInput> = {}): OrderSagaInput {
  return {
    orderId: randomUUID(),
    userId: "ann",
    currency: "RUB",
    lines: [{ lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: FUNDS.toString() }],
    totalMinor: FUNDS.toString(),
    paymentMethod: "wallet",
    comment: "test",
    requestHash: "hash",
    correlationId: "test",
    caller: "test",
    ...changes,
  };
}

/** The behaviour of a step that refuses with this code. */
export function refused(code: "INSUFFICIENT_FUNDS" | "ORDER_STATE_CONFLICT" | "RESERVATION_EXPIRED" | "INVALID_AMOUNT") {
  return { refused: code };
}

/** The order has ended, its row says the same as its workflow, no money is held and none is lost. */
export function expectDefiniteEnd(page: Page, outcome: OrderOutcome, fundsMinor = FUNDS): void {
  expect(page.order?.state).toBe(outcome.sagaState);
  expect(page.heldMinor).toBe(0n);
  expect(page.availableMinor + page.revenueMinor).toBe(fundsMinor);
  expect(["COMPLETED", "FAILED"]).toContain(outcome.sagaState);
  if (outcome.sagaState === "COMPLETED") {
    expect(outcome.status).toBe("CONFIRMED");
    expect(page.captures).toBe(1);
    expect(page.revenueMinor).toBe(FUNDS);
  } else {
    expect(outcome.status).toBe("CANCELLED");
    expect(page.captures).toBe(0);
    expect(page.availableMinor).toBe(fundsMinor);
    // The order becomes FAILED only when everything is undone.
    expect(page.effects.at(-1)).toBe("cancelOrder");
  }
}

/** Waits until the order has ended. */
export async function outcomeOf(handle: WorkflowHandle): Promise<OrderOutcome> {
  return (await handle.result()) as OrderOutcome;
}

/** A running worker, the book of its orders, and how they are started on it. */
export interface OrderWorker {
  readonly book: FakeBook;
  readonly taskQueue: string;
  start(order: OrderSagaInput, options?: Pick<WorkflowStartOptions, "startDelay">): Promise<WorkflowHandle>;
}

/**
 * Starts a time-skipping server for the tests of a file, and stops it after them. Their client is not that of the server's environment, which
 * would make the server skip time: the cases run side by side, and none of them waits for a timer.
 */
export function useOrderServer() {
  let skipping: TimeSkipping;
  let client: Client;
  beforeAll(async () => {
    skipping = await startTimeSkipping();
    client = new Client({ connection: skipping.env.connection });
  });
  afterAll(() => skipping.close());
  return {
    /** There is none before the hooks of the file. */
    client: () => client,
    /** Runs a worker with its own fake book for the tests of one group. */
    useWorker(cacheSize: number): OrderWorker {
      const taskQueue = `orders-${randomUUID()}`;
      const book = createFakeBook();
      let stopWorker = async () => {};
      beforeAll(async () => {
        stopWorker = await skipping.startWorker({ taskQueue, cacheSize, book });
      });
      afterAll(() => stopWorker());
      return {
        book,
        taskQueue,
        start: (order, options = {}) =>
          client.workflow.start("orderSaga", { ...options, workflowId: orderWorkflowId(order.orderId), taskQueue, args: [order] }),
      };
    },
  };
}

/** Starts all cases at once, so that their real waits overlap; the returned function waits for the result of one case. */
export function startTogether<One, Result>(cases: readonly One[], run: (one: One) => Promise<Result>): (one: One) => Promise<Result> {
  const runs = new Map<One, Promise<PromiseSettledResult<Result>>>();
  beforeAll(() => {
    for (const one of cases)
      runs.set(
        one,
        Promise.allSettled([run(one)]).then(([settled]) => settled),
      );
  });
  return async (one) => {
    const settled = (await runs.get(one)) as PromiseSettledResult<Result>;
    if (settled.status === "rejected") throw settled.reason;
    return settled.value;
  };
}
