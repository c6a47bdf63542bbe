import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Context } from "@temporalio/activity";
import { WithStartWorkflowOperation, type Client, type WorkflowHandle } from "@temporalio/client";
import { beforeAll, describe, expect, it } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import { cancelOrderUpdate, type OrderOutcome } from "../../src/contract/orders.ts";
import type { Page, Script, Step } from "../../test/support/fake-page.ts";
import {
  COMPLETED,
  FUNDS,
  NEVER_CREATED,
  NEVER_HELD,
  UNDONE,
  UNDO_STEPS,
  expectDefiniteEnd,
  newOrder,
  outcomeOf,
  refused,
  startTogether,
  useOrderServer,
} from "../../test/support/skipped-orders.ts";
import { untilCancellationIsSeen } from "../../test/support/time-skipping.ts";
import { until } from "../../test/support/until.ts";

const { useWorker, client: clientOf } = useOrderServer();
let client: Client;
beforeAll(() => {
  client = clientOf();
});

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
