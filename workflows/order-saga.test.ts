import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, WithStartWorkflowOperation, type WorkflowHandle } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orderWorkflowId } from "../src/contract/ids.ts";
import { cancelOrderUpdate, orderStatusQuery, type OrderOutcome, type OrderSagaInput } from "../src/contract/orders.ts";
import { createFakeBook, type Behaviour, type Page, type Script, type Step } from "../test/support/fake-book.ts";
import { startTimeSkipping, type TimeSkipping } from "../test/support/time-skipping.ts";

const FUNDS = 10_000n;
let skipping: TimeSkipping;
/** Does not skip time: the cases run side by side, and none of them waits for a timer. */
let client: Client;

beforeAll(async () => {
  skipping = await startTimeSkipping();
  client = new Client({ connection: skipping.env.connection });
});

afterAll(() => skipping.close());

const newOrder = (changes: Partial<OrderSagaInput> = {}): OrderSagaInput => ({
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
});

const repeat = (behaviour: Behaviour, times: number): Behaviour[] => Array.from({ length: times }, () => behaviour);
const refused = (code: "INSUFFICIENT_FUNDS" | "ORDER_STATE_CONFLICT" | "RESERVATION_EXPIRED" | "INVALID_AMOUNT") => ({ refused: code });
/** The fast tries of one step: one call and three retries. */
const FAST = 4;

/** How an order must end: with which failure, or completed, and after how many calls of the steps that matter. */
interface Case {
  readonly name: string;
  readonly script: Script;
  readonly fundsMinor?: bigint;
  readonly failureCode?: string;
  readonly calls?: Partial<Record<Step, number>>;
  readonly effects?: readonly string[];
}

const COMPLETED = ["createOrder", "holdOrder", "captureOrder"];
const UNDONE = ["createOrder", "holdOrder", "beginCompensation", "releaseOrder", "cancelOrder"];
const NEVER_HELD = ["createOrder", "beginCompensation", "cancelOrder"];
const NEVER_CREATED = ["beginCompensation", "cancelOrder"];

const FORWARD: readonly Case[] = [
  { name: "nothing goes wrong", script: {}, calls: { createOrder: 1, holdOrder: 1, captureOrder: 1 }, effects: COMPLETED },
  { name: "createOrder is away twice", script: { createOrder: repeat("away", 2) }, calls: { createOrder: 3 }, effects: COMPLETED },
  { name: "createOrder answers at the last try", script: { createOrder: repeat("away", 3) }, calls: { createOrder: FAST }, effects: COMPLETED },
  { name: "createOrder stays away", script: { createOrder: repeat("away", 9) }, failureCode: "UNAVAILABLE", calls: { createOrder: FAST, holdOrder: 0 }, effects: NEVER_CREATED },
  { name: "createOrder is refused", script: { createOrder: [refused("INVALID_AMOUNT")] }, failureCode: "INVALID_AMOUNT", calls: { createOrder: 1 }, effects: NEVER_CREATED },
  { name: "createOrder has a bug", script: { createOrder: repeat("broken", 9) }, failureCode: "INTERNAL", calls: { createOrder: FAST }, effects: NEVER_CREATED },
  { name: "createOrder's answer is lost once", script: { createOrder: ["lost"] }, calls: { createOrder: 2 }, effects: COMPLETED },
  { name: "createOrder's answers are all lost", script: { createOrder: repeat("lost", 9) }, failureCode: "UNAVAILABLE", calls: { createOrder: FAST }, effects: NEVER_HELD },
  { name: "holdOrder is away twice", script: { holdOrder: repeat("away", 2) }, calls: { holdOrder: 3 }, effects: COMPLETED },
  { name: "holdOrder stays away", script: { holdOrder: repeat("away", 9) }, failureCode: "UNAVAILABLE", calls: { holdOrder: FAST, captureOrder: 0 }, effects: NEVER_HELD },
  { name: "the money does not suffice", script: {}, fundsMinor: FUNDS - 1n, failureCode: "INSUFFICIENT_FUNDS", calls: { holdOrder: 1 }, effects: NEVER_HELD },
  { name: "holdOrder has a bug", script: { holdOrder: repeat("broken", 9) }, failureCode: "INTERNAL", calls: { holdOrder: FAST }, effects: NEVER_HELD },
  { name: "holdOrder's answer is lost once", script: { holdOrder: ["lost"] }, calls: { holdOrder: 2 }, effects: COMPLETED },
  { name: "holdOrder's answers are all lost", script: { holdOrder: repeat("lost", 9) }, failureCode: "UNAVAILABLE", calls: { holdOrder: FAST, captureOrder: 0 }, effects: UNDONE },
  { name: "captureOrder is away twice", script: { captureOrder: repeat("away", 2) }, calls: { captureOrder: 3 }, effects: COMPLETED },
  { name: "captureOrder is away past its fast retries", script: { captureOrder: repeat("away", 5) }, calls: { captureOrder: 6 }, effects: COMPLETED },
  { name: "captureOrder's answer is lost once", script: { captureOrder: ["lost"] }, calls: { captureOrder: 2 }, effects: COMPLETED },
  { name: "captureOrder's answers are lost past its fast retries", script: { captureOrder: repeat("lost", 5) }, calls: { captureOrder: 6 }, effects: COMPLETED },
  { name: "captureOrder is refused", script: { captureOrder: [refused("RESERVATION_EXPIRED")] }, failureCode: "RESERVATION_EXPIRED", effects: UNDONE },
  { name: "captureOrder is away past its fast retries and then refused", script: { captureOrder: [...repeat("away", 5), refused("RESERVATION_EXPIRED")] }, failureCode: "RESERVATION_EXPIRED", effects: UNDONE },
];

/** What can lead into compensation, and what can go wrong within it. */
const LEADS: Readonly<Record<string, Script>> = {
  "a refused capture": { captureOrder: [refused("RESERVATION_EXPIRED")] },
  "a hold whose answers were lost": { holdOrder: repeat("lost", FAST) },
};
const UNDO_STEPS = ["beginCompensation", "releaseOrder", "cancelOrder"] as const;
const UNDO_FAULTS: Readonly<Record<string, readonly Behaviour[]>> = {
  "is away twice": repeat("away", 2),
  "is away past its fast retries": repeat("away", 5),
  "loses its answer": ["lost"],
  "loses its answers past its fast retries": repeat("lost", 5),
  "has a bug that is mended": repeat("broken", 5),
};
const COMPENSATION: readonly Case[] = Object.entries(LEADS).flatMap(([lead, script]) =>
  UNDO_STEPS.flatMap((step) =>
    Object.entries(UNDO_FAULTS).map(([fault, behaviours]) => ({
      name: `${step} ${fault} after ${lead}`,
      script: { ...script, [step]: behaviours },
      failureCode: lead === "a refused capture" ? "RESERVATION_EXPIRED" : "UNAVAILABLE",
      calls: { [step]: behaviours.length + 1 },
      effects: UNDONE,
    })),
  ),
);

/** Nobody may be left without an outcome, and no money without an owner. */
function expectDefiniteEnd(page: Page, outcome: OrderOutcome, fundsMinor = FUNDS): void {
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
    // FAILED is told only when everything is undone.
    expect(page.effects.at(-1)).toBe("cancelOrder");
  }
}

describe.each([{ cacheSize: 100 }, { cacheSize: 0 }])("the order saga with $cacheSize workflows kept in memory", ({ cacheSize }) => {
  const taskQueue = `orders-${cacheSize}`;
  const book = createFakeBook();
  let stopWorker: () => Promise<void>;

  beforeAll(async () => {
    stopWorker = await skipping.startWorker({ taskQueue, cacheSize, book });
  });
  afterAll(() => stopWorker());

  // A task of two seconds lets the worker hand in an unfinished step early, so that a cancellation is seen in the middle of it.
  const start = (order: OrderSagaInput, options: { workflowTaskTimeout?: string; startDelay?: string } = {}) =>
    client.workflow.start("orderSaga", { ...options, workflowId: orderWorkflowId(order.orderId), taskQueue, args: [order] } as never) as Promise<WorkflowHandle>;

  describe("comes to a definite end when", () => {
    it.concurrent.each([...FORWARD, ...COMPENSATION])("$name", async ({ script, fundsMinor, failureCode, calls, effects }) => {
      const order = newOrder();
      const page = book.open(order.orderId, { fundsMinor: fundsMinor ?? FUNDS, script });
      const handle = await start(order);
      const outcome = (await handle.result()) as OrderOutcome;
      expectDefiniteEnd(page, outcome, fundsMinor);
      expect(outcome.sagaState).toBe(failureCode === undefined ? "COMPLETED" : "FAILED");
      expect(outcome.failureCode).toBe(failureCode);
      if (effects !== undefined) expect(page.effects).toEqual(effects);
      for (const [step, count] of Object.entries(calls ?? {})) expect(page.calls[step as Step] ?? 0, step).toBe(count);
    });
  });

  describe("when it is cancelled", () => {
    const byUpdate = async (handle: WorkflowHandle) => {
      const update = await handle.startUpdate(cancelOrderUpdate, { args: [{ reason: "changed their mind" }], waitForStage: "ACCEPTED" });
      return () => update.result();
    };
    const natively = async (handle: WorkflowHandle) => {
      await handle.cancel();
      await untilCancellationIsSeen(handle);
      return () => Promise.resolve(undefined);
    };
    const WAYS = { "by update": byUpdate, natively };
    const POINTS: readonly { step: Step; script?: Script; state: "COMPLETED" | "FAILED"; failureCode?: string; effects: readonly string[] }[] = [
      { step: "createOrder", state: "FAILED", failureCode: "ORDER_CANCELLED", effects: NEVER_HELD },
      { step: "holdOrder", state: "FAILED", failureCode: "ORDER_CANCELLED", effects: UNDONE },
      { step: "captureOrder", state: "COMPLETED", effects: COMPLETED },
      ...UNDO_STEPS.map((step) => ({
        step,
        script: { captureOrder: [refused("RESERVATION_EXPIRED")] },
        state: "FAILED" as const,
        failureCode: "RESERVATION_EXPIRED",
        effects: UNDONE,
      })),
    ];
    const cases = Object.entries(WAYS).flatMap(([way, cancel]) =>
      POINTS.flatMap((point) => [false, true].map((done) => ({ ...point, way, cancel, done, moment: done ? "after" : "before" }))),
    );

    it.concurrent.each(cases)("$way $moment the effect of $step, it ends $state", async ({ step, script, state, failureCode, effects, cancel, done }) => {
      const order = newOrder();
      let answer: Promise<OrderOutcome | undefined> | undefined;
      const page = book.open(order.orderId, {
        fundsMinor: FUNDS,
        script: {
          ...script,
          [step]: [
            async (effect: () => void) => {
              if (done) effect();
              answer = (await cancel(await handle))();
            },
          ],
        },
      });
      const handle = start(order, { workflowTaskTimeout: "2 seconds" });
      const outcome = (await (await handle).result()) as OrderOutcome;
      expectDefiniteEnd(page, outcome);
      expect(outcome).toMatchObject({ sagaState: state, ...(failureCode === undefined ? {} : { failureCode }) });
      expect(page.effects).toEqual(effects);
      expect((await answer) ?? outcome).toEqual(outcome);
    });

    it("before its first step, it never creates the order's money", async () => {
      const [byUpdateOrder, nativeOrder] = [newOrder(), newOrder()];
      const pages = [byUpdateOrder, nativeOrder].map(({ orderId }) => book.open(orderId, { fundsMinor: FUNDS }));
      const startWorkflowOperation = new WithStartWorkflowOperation("orderSaga", {
        workflowId: orderWorkflowId(byUpdateOrder.orderId),
        taskQueue,
        args: [byUpdateOrder],
        workflowIdConflictPolicy: "FAIL",
      });
      const updated = await client.workflow.executeUpdateWithStart(cancelOrderUpdate, { startWorkflowOperation, args: [undefined] });
      const handle = await start(nativeOrder, { startDelay: "1 second" });
      await handle.cancel();
      for (const [place, outcome] of [updated, (await handle.result()) as OrderOutcome].entries()) {
        expectDefiniteEnd(pages[place] as Page, outcome);
        expect(outcome).toMatchObject({ sagaState: "FAILED", failureCode: "ORDER_CANCELLED" });
        expect(pages[place]?.effects).toEqual(NEVER_CREATED);
      }
    });
  });
});

// In the middle of a step the worker hands in its task unfinished, and with the next one it learns what came meanwhile.
async function untilCancellationIsSeen(handle: WorkflowHandle): Promise<void> {
  for (;;) {
    const { events } = await handle.fetchHistory();
    const requested = events?.findIndex((event) => event.workflowExecutionCancelRequestedEventAttributes) ?? -1;
    if (requested >= 0 && events?.slice(requested).some((event) => event.workflowTaskStartedEventAttributes)) return sleep(200);
    await sleep(100);
  }
}
