import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Context } from "@temporalio/activity";
import { Client, WithStartWorkflowOperation, type WorkflowHandle, type WorkflowStartOptions } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import { cancelOrderUpdate, orderStatusQuery, type OrderOutcome, type OrderSagaInput } from "../../src/contract/orders.ts";
import { deferred } from "../../test/support/deferred.ts";
import { createFakeBook, type Behaviour, type Page, type Script, type Step } from "../../test/support/fake-book.ts";
import { startTimeSkipping, untilCancellationIsSeen, type TimeSkipping } from "../../test/support/time-skipping.ts";
import { until } from "../../test/support/until.ts";

const FUNDS = 10_000n;
let skipping: TimeSkipping;
/** Unlike `skipping.env.client` it does not make the server skip time: the cases run side by side, and none of them waits for a timer. */
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
  readonly calls: Partial<Record<Step, number>>;
  readonly effects: readonly string[];
}

const COMPLETED = ["createOrder", "holdOrder", "captureOrder"];
const UNDONE = ["createOrder", "holdOrder", "beginCompensation", "releaseOrder", "cancelOrder"];
const NEVER_HELD = ["createOrder", "beginCompensation", "cancelOrder"];
const NEVER_CREATED = ["beginCompensation", "cancelOrder"];

const FORWARD: readonly Case[] = [
  { name: "nothing goes wrong", script: {}, calls: { createOrder: 1, holdOrder: 1, captureOrder: 1 }, effects: COMPLETED },
  { name: "createOrder is away twice", script: { createOrder: repeat("away", 2) }, calls: { createOrder: 3 }, effects: COMPLETED },
  {
    name: "createOrder answers at the last try",
    script: { createOrder: repeat("away", 3) },
    calls: { createOrder: FAST },
    effects: COMPLETED,
  },
  {
    name: "createOrder stays away",
    script: { createOrder: repeat("away", 9) },
    failureCode: "UNAVAILABLE",
    calls: { createOrder: FAST, holdOrder: 0 },
    effects: NEVER_CREATED,
  },
  {
    name: "createOrder is refused",
    script: { createOrder: [refused("INVALID_AMOUNT")] },
    failureCode: "INVALID_AMOUNT",
    calls: { createOrder: 1 },
    effects: NEVER_CREATED,
  },
  {
    name: "createOrder has a bug",
    script: { createOrder: repeat("broken", 9) },
    failureCode: "INTERNAL",
    calls: { createOrder: FAST },
    effects: NEVER_CREATED,
  },
  { name: "createOrder's answer is lost once", script: { createOrder: ["lost"] }, calls: { createOrder: 2 }, effects: COMPLETED },
  {
    name: "createOrder's answers are all lost",
    script: { createOrder: repeat("lost", 9) },
    failureCode: "UNAVAILABLE",
    calls: { createOrder: FAST },
    effects: NEVER_HELD,
  },
  { name: "holdOrder is away twice", script: { holdOrder: repeat("away", 2) }, calls: { holdOrder: 3 }, effects: COMPLETED },
  {
    name: "holdOrder stays away",
    script: { holdOrder: repeat("away", 9) },
    failureCode: "UNAVAILABLE",
    calls: { holdOrder: FAST, captureOrder: 0 },
    effects: NEVER_HELD,
  },
  {
    name: "the money does not suffice",
    script: {},
    fundsMinor: FUNDS - 1n,
    failureCode: "INSUFFICIENT_FUNDS",
    calls: { holdOrder: 1 },
    effects: NEVER_HELD,
  },
  {
    name: "holdOrder has a bug",
    script: { holdOrder: repeat("broken", 9) },
    failureCode: "INTERNAL",
    calls: { holdOrder: FAST },
    effects: NEVER_HELD,
  },
  { name: "holdOrder's answer is lost once", script: { holdOrder: ["lost"] }, calls: { holdOrder: 2 }, effects: COMPLETED },
  {
    name: "holdOrder's answers are all lost",
    script: { holdOrder: repeat("lost", 9) },
    failureCode: "UNAVAILABLE",
    calls: { holdOrder: FAST, captureOrder: 0 },
    effects: UNDONE,
  },
  { name: "captureOrder is away twice", script: { captureOrder: repeat("away", 2) }, calls: { captureOrder: 3 }, effects: COMPLETED },
  {
    name: "captureOrder is away past its fast retries",
    script: { captureOrder: repeat("away", 5) },
    calls: { captureOrder: 6 },
    effects: COMPLETED,
  },
  { name: "captureOrder's answer is lost once", script: { captureOrder: ["lost"] }, calls: { captureOrder: 2 }, effects: COMPLETED },
  {
    name: "captureOrder's answers are lost past its fast retries",
    script: { captureOrder: repeat("lost", 5) },
    calls: { captureOrder: 6 },
    effects: COMPLETED,
  },
  {
    name: "captureOrder is refused",
    script: { captureOrder: [refused("RESERVATION_EXPIRED")] },
    failureCode: "RESERVATION_EXPIRED",
    calls: {},
    effects: UNDONE,
  },
  {
    name: "captureOrder is away past its fast retries and then refused",
    script: { captureOrder: [...repeat("away", 5), refused("RESERVATION_EXPIRED")] },
    failureCode: "RESERVATION_EXPIRED",
    calls: {},
    effects: UNDONE,
  },
];

/** What can lead into the compensation; `UNDO_FAULTS` are what can go wrong within it. */
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

/** The order has ended, its row says the same as its workflow, no money is held and none is lost. */
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
    // The order becomes FAILED only when everything is undone.
    expect(page.effects.at(-1)).toBe("cancelOrder");
  }
}

interface Cancellation {
  readonly way: "by update" | "natively";
  readonly step: Step;
  readonly moment: "before" | "after";
  readonly done: boolean;
  readonly script?: Script;
  readonly state: "COMPLETED" | "FAILED";
  readonly failureCode?: string;
  /** The possible effects of the whole order: a step that is cancelled natively may still have its effect in time, or meet the fence. */
  readonly undone: readonly (readonly string[])[];
  readonly cancel: (handle: WorkflowHandle) => Promise<() => Promise<OrderOutcome | undefined>>;
}

async function cancelByUpdate(handle: WorkflowHandle) {
  const update = await handle.startUpdate(cancelOrderUpdate, { args: [{ reason: "changed their mind" }], waitForStage: "ACCEPTED" });
  return () => update.result();
}

async function cancelNatively(handle: WorkflowHandle) {
  const { cancellationSignal, info } = Context.current();
  const told = once(cancellationSignal, "abort");
  await handle.cancel();
  // An activity before the pivot is cancelled once its workflow has seen the cancellation; the later activities are never cancelled.
  await (["createOrder", "holdOrder"].includes(info.activityType) ? told : untilCancellationIsSeen(handle));
  await sleep(300);
  return () => Promise.resolve(undefined);
}

function cancellations(): Cancellation[] {
  const cases: Cancellation[] = [];
  for (const way of ["by update", "natively"] as const)
    for (const moment of ["before", "after"] as const) {
      const common = { way, moment, done: moment === "after", cancel: way === "by update" ? cancelByUpdate : cancelNatively };
      const cancelled = { ...common, state: "FAILED", failureCode: "ORDER_CANCELLED" } as const;
      cases.push({ ...cancelled, step: "createOrder", undone: [NEVER_CREATED, NEVER_HELD] });
      cases.push({ ...cancelled, step: "holdOrder", undone: [NEVER_HELD, UNDONE] });
      cases.push({ ...common, step: "captureOrder", state: "COMPLETED", undone: [COMPLETED] });
      const script: Script = { captureOrder: [refused("RESERVATION_EXPIRED")] };
      for (const step of UNDO_STEPS)
        cases.push({ ...common, step, script, state: "FAILED", failureCode: "RESERVATION_EXPIRED", undone: [UNDONE] });
    }
  return cases;
}

const CANCELLATIONS = cancellations();

describe.each([{ cacheSize: 100 }, { cacheSize: 0 }])("the order saga with $cacheSize workflows kept in memory", ({ cacheSize }) => {
  const { book, taskQueue, start } = useWorker(cacheSize);

  describe("comes to a definite end when", () => {
    const cases = [...FORWARD, ...COMPENSATION];
    const runs = startTogether(cases, async ({ script, fundsMinor }) => {
      const order = newOrder();
      const page = book.open(order.orderId, { fundsMinor: fundsMinor ?? FUNDS, script });
      return { page, outcome: await outcomeOf(await start(order)) };
    });

    it.each(cases)("$name", async (one) => {
      const { fundsMinor, failureCode, calls, effects } = one;
      const { page, outcome } = await runs(one);
      expectDefiniteEnd(page, outcome, fundsMinor);
      expect(outcome.sagaState).toBe(failureCode === undefined ? "COMPLETED" : "FAILED");
      expect(outcome.failureCode).toBe(failureCode);
      expect(page.effects).toEqual(effects);
      for (const [step, count] of Object.entries(calls)) expect(page.calls[step as Step] ?? 0, step).toBe(count);
    });
  });

  it("is cancelled before its first step: the order is fenced and no money is touched", async () => {
    const [byUpdate, natively] = [newOrder(), newOrder()];
    const pages = [byUpdate, natively].map(({ orderId }) => book.open(orderId, { fundsMinor: FUNDS }));
    const startWorkflowOperation = new WithStartWorkflowOperation("orderSaga", {
      workflowId: orderWorkflowId(byUpdate.orderId),
      taskQueue,
      args: [byUpdate],
      workflowIdConflictPolicy: "FAIL",
    });
    const updated = await client.workflow.executeUpdateWithStart(cancelOrderUpdate, { startWorkflowOperation, args: [undefined] });
    const handle = await start(natively, { startDelay: "1 second" });
    await handle.cancel();
    for (const [place, outcome] of [updated, await outcomeOf(handle)].entries()) {
      expectDefiniteEnd(pages[place] as Page, outcome);
      expect(outcome).toMatchObject({ sagaState: "FAILED", failureCode: "ORDER_CANCELLED" });
      expect(pages[place]?.effects).toEqual(NEVER_CREATED);
    }
  });

  it("gives the money back that a lost task had held when it is cancelled before it comes there again", async () => {
    const order = newOrder();
    const page = book.open(order.orderId, { fundsMinor: 0n });
    // A worker that died in its first task leaves these effects behind, and no trace in the history.
    page.order = { state: "PAYMENT_PENDING", requestHash: order.requestHash };
    page.heldMinor = FUNDS;
    page.decided.set("hold", "done");
    const startWorkflowOperation = new WithStartWorkflowOperation("orderSaga", {
      workflowId: orderWorkflowId(order.orderId),
      taskQueue,
      args: [order],
      workflowIdConflictPolicy: "FAIL",
    });
    const outcome = await client.workflow.executeUpdateWithStart(cancelOrderUpdate, { startWorkflowOperation, args: [undefined] });
    expect(outcome.sagaState).toBe("FAILED");
    expectDefiniteEnd(page, outcome);
  });

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

  it("tells its step to who asks, while it runs and after its end", async () => {
    const order = newOrder();
    const reached = deferred();
    const page = book.open(order.orderId, {
      fundsMinor: FUNDS,
      script: {
        captureOrder: [
          ...repeat("away", FAST),
          async () => {
            reached.resolve();
            await released.promise;
          },
        ],
      },
    });
    const released = deferred();
    const handle = await start(order);
    await reached.promise;
    expect(await handle.query(orderStatusQuery)).toMatchObject({
      sagaState: "PAYMENT_PENDING",
      status: "PENDING",
      step: "capture the money",
      stuck: "capture the money",
      possibleActs: ["retry"],
    });
    released.resolve();
    expectDefiniteEnd(page, await outcomeOf(handle));
    expect(await handle.query(orderStatusQuery)).toMatchObject({ sagaState: "COMPLETED", status: "CONFIRMED", step: "ended" });
  });
});

// The SDK drops unfinished local activities of workflows that it does not keep in memory, so these cases run only with a cache.
describe("the order saga is cancelled in the middle", () => {
  const { book, start } = useWorker(100);
  const runs = startTogether(CANCELLATIONS, async ({ step, script, cancel, done }) => {
    const order = newOrder();
    let answer: Promise<OrderOutcome | undefined> | undefined;
    const inTheMiddle = async (effect: () => void) => {
      if (done) effect();
      answer = (await cancel(await handle))();
    };
    const page = book.open(order.orderId, { fundsMinor: FUNDS, script: { ...script, [step]: [inTheMiddle] } });
    const handle = start(order);
    const outcome = await outcomeOf(await handle);
    // The cancelled step tries its effect too late: the effect must meet the fence.
    await until("the step has ended", () => answer !== undefined);
    await sleep(50);
    return { page, outcome, answer: await answer };
  });

  it.each(CANCELLATIONS)("$way, $moment the effect of $step: $state", async (one) => {
    const { page, outcome, answer } = await runs(one);
    expectDefiniteEnd(page, outcome);
    expect(outcome.sagaState).toBe(one.state);
    expect(outcome.failureCode).toBe(one.failureCode);
    expect(one.undone).toContainEqual(page.effects);
    if (one.way === "by update") expect(answer).toEqual(outcome);
  });
});

async function outcomeOf(handle: WorkflowHandle): Promise<OrderOutcome> {
  return (await handle.result()) as OrderOutcome;
}

/** Runs a worker with its own fake book for the tests of one group. */
function useWorker(cacheSize: number) {
  const taskQueue = `orders-${randomUUID()}`;
  const book = createFakeBook();
  let stopWorker = async () => {};
  beforeAll(async () => {
    stopWorker = await skipping.startWorker({ taskQueue, cacheSize, book });
  });
  afterAll(() => stopWorker());
  const start = (order: OrderSagaInput, options: Pick<WorkflowStartOptions, "startDelay"> = {}): Promise<WorkflowHandle> =>
    client.workflow.start("orderSaga", { ...options, workflowId: orderWorkflowId(order.orderId), taskQueue, args: [order] });
  return { book, taskQueue, start };
}

/** Starts all cases at once, so that their real waits overlap; the returned function waits for the result of one case. */
function startTogether<One, Result>(cases: readonly One[], run: (one: One) => Promise<Result>): (one: One) => Promise<Result> {
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
