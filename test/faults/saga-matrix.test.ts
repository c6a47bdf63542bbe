import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Context } from "@temporalio/activity";
import type { Client, WorkflowHandle } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createTemporal, type TemporalLink } from "../../src/adapters/temporal.ts";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import { cancelOrderUpdate, operatorActSignal, type OrderOutcome, type OrderSagaInput } from "../../src/contract/orders.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { buildWorkflowBundle } from "../../workers/workflow-bundle.ts";
import { createFakeBook, type Behaviour, type Page, type Script, type Step } from "../support/fake-book.ts";
import { makeTestNamespace } from "../support/test-namespace.ts";

/*
 * Every step of both sagas meets every fault, alone and together with every other fault of every step. Effects are kept by a book in
 * memory with the guards of the ledger and of the provider.
 */
const TOTAL = 10_000n;
const CONCURRENCY = 48;
/** A local step has four tries, a compensation at the provider three here. */
const PAST_FAST_TRIES = 5;
/** An order that has no end by then waits for ever. */
const PATIENCE_MS = 60_000;
const LATE_MS = 50;
/** Too few for all of them, so that some are replayed in the middle. SALDO_TEST_WORKFLOW_CACHE=0 replays each at every task. */
const CACHE_SIZE = Number(process.env["SALDO_TEST_WORKFLOW_CACHE"] ?? 24);
const STEPS = {
  wallet: ["createOrder", "holdOrder", "captureOrder", "beginCompensation", "releaseOrder", "cancelOrder"],
  card: [
    "createOrder",
    "authoriseCard",
    "awaitCapture",
    "captureCard",
    "chargeOrder",
    "beginCompensation",
    "refundCard",
    "cancelCardAuthorisation",
    "cancelOrder",
  ],
} as const satisfies Record<string, readonly Step[]>;

type Method = keyof typeof STEPS;
const FAULTS = [
  "retryable",
  "fatal",
  "timeout before effect",
  "timeout after effect",
  "cancel before effect",
  "cancel after effect",
] as const;
type Fault = (typeof FAULTS)[number];
interface Planned {
  readonly step: Step;
  readonly fault: Fault;
}
interface Case {
  readonly method: Method;
  readonly planned: readonly Planned[];
}

function casesOf(method: Method): Case[] {
  const single = STEPS[method].flatMap((step) => FAULTS.map((fault): Planned => ({ step, fault })));
  const pairs = single.flatMap((first, place) => single.slice(place).map((second) => [first, second] as const));
  return [...single.map((one) => [one]), ...pairs].map((planned) => ({ method, planned }));
}

let link: TemporalLink;
let client: Client;
let stopWorkers = async () => {};
const book = createFakeBook();

// A real server and not the time-skipping one: that one loses a workflow's task when an activity ends while it is being cancelled.
beforeAll(async () => {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger("ERROR") });
  const address = inject("temporalAddress");
  const namespace = await makeTestNamespace(address);
  link = await createTemporal({ address, namespace, deadlineMs: 10_000, logger: SILENT_LOG });
  ({ client } = link);
  const codePath = await buildWorkflowBundle(inject("cacheDir"));
  const workers = await Promise.all(
    [TASK_QUEUES.orders, TASK_QUEUES.payments].map((taskQueue) =>
      Worker.create({
        connection: link.connection,
        namespace,
        taskQueue,
        workflowBundle: { codePath },
        activities: book.activities,
        maxCachedWorkflows: CACHE_SIZE,
        // Without a cache a second task taken meanwhile would lie in the worker until the server thinks it lost.
        ...(CACHE_SIZE === 0 ? { maxConcurrentWorkflowTaskExecutions: 1 } : {}),
      }),
    ),
  );
  const running = Promise.all(workers.map((worker) => worker.run()));
  stopWorkers = async () => {
    for (const worker of workers) worker.shutdown();
    await running;
  };
});
afterAll(async () => {
  await stopWorkers();
  await link.close();
});

const away = (): ApplicationFailure =>
  ApplicationFailure.create({ type: "UNAVAILABLE", message: "the step is away", nextRetryDelay: "5 milliseconds" });
const beforeEffect: Behaviour = async () => {
  lookIntoIt();
  throw away();
};
const afterEffect: Behaviour = async (effect) => {
  effect();
  lookIntoIt();
  throw away();
};

/** How a step meets a fault: the tries that fail, after which it works. */
function behavioursOf(fault: Fault): Behaviour[] {
  switch (fault) {
    case "retryable":
      return [beforeEffect, beforeEffect];
    case "fatal":
      return [
        async () => {
          lookIntoIt();
          throw ApplicationFailure.nonRetryable("the step refuses", "INVALID_AMOUNT");
        },
      ];
    case "timeout before effect":
      return Array.from({ length: PAST_FAST_TRIES }, () => beforeEffect);
    case "timeout after effect":
      return Array.from({ length: PAST_FAST_TRIES }, () => afterEffect);
    case "cancel before effect":
      return [
        async (effect) => {
          await askToCancel("natively");
          effect();
        },
      ];
    case "cancel after effect":
      return [
        async (effect) => {
          effect();
          await askToCancel("by update");
        },
      ];
  }
}

function handleOfCaller(): WorkflowHandle {
  return client.workflow.getHandle(Context.current().info.workflowExecution?.workflowId ?? "");
}

const UNDOING: ReadonlySet<string> = new Set(["beginCompensation", "releaseOrder", "refundCard", "cancelCardAuthorisation", "cancelOrder"]);
const looking = new Set<string>();

// What cannot be undone is parked: somebody comes and has it tried again, as often as it takes. While nothing is parked the act does nothing.
function lookIntoIt(): void {
  const { info } = Context.current();
  const handle = handleOfCaller();
  if (!UNDOING.has(info.activityType) || looking.has(handle.workflowId)) return;
  looking.add(handle.workflowId);
  const act = { act: "retry", reason: "matrix", actor: "matrix" } as const;
  const look = async (): Promise<void> => {
    for (;;) {
      await sleep(200);
      await handle.signal(operatorActSignal, act);
    }
  };
  // Until the order has ended.
  void look().catch(() => looking.delete(handle.workflowId));
}

// A local step runs inside its workflow's task, which meets the wish only after it ended: there it is only sent off.
async function askToCancel(way: "by update" | "natively"): Promise<void> {
  const handle = handleOfCaller();
  const update = { args: [{ reason: "matrix" }] as [{ reason: string }], waitForStage: "ACCEPTED" as const };
  const asked = (way === "natively" ? handle.cancel() : handle.startUpdate(cancelOrderUpdate, update)).catch(() => undefined);
  if (Context.current().info.isLocal) return;
  await asked;
  // By then the saga has left this step, so that an effect after it comes late.
  await sleep(LATE_MS);
}

const wordsOf = (planned: readonly Planned[]) => planned.map(({ step, fault }) => `${step}: ${fault}`).join(" + ");

function scriptOf(planned: readonly Planned[]): Script {
  const script: Partial<Record<Step, Behaviour[]>> = {};
  for (const { step, fault } of planned) script[step] = [...(script[step] ?? []), ...behavioursOf(fault)];
  return script;
}

async function run({ method, planned }: Case): Promise<{ page: Page; outcome: OrderOutcome }> {
  const orderId = randomUUID();
  const order: OrderSagaInput = {
    orderId,
    userId: orderId,
    currency: "RUB",
    lines: [{ lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: TOTAL.toString() }],
    totalMinor: TOTAL.toString(),
    paymentMethod: method,
    ...(method === "card" ? { card: { cardToken: "token", last4: "4242", brand: "visa" } } : {}),
    comment: "matrix",
    requestHash: "hash",
    correlationId: orderId,
    caller: "test",
    compensationFastRetries: 2,
  };
  const page = book.open(orderId, { fundsMinor: method === "wallet" ? TOTAL : 0n, script: scriptOf(planned) });
  const handle = await client.workflow.start("orderSaga", {
    workflowId: orderWorkflowId(orderId),
    taskQueue: TASK_QUEUES.orders,
    args: [order],
  });
  const outcome = await Promise.race([handle.result() as Promise<OrderOutcome>, sleep(PATIENCE_MS, undefined, { ref: false })]);
  if (outcome === undefined) throw new Error(`no end within ${PATIENCE_MS} ms: ${wordsOf(planned)}, so far ${page.effects.join(", ")}`);
  return { page, outcome };
}

/** I5: nobody waits for ever. I6: the provider's book and the ledger agree, and no money is anywhere without its order. */
function complaintsOf({ method }: Case, page: Page, outcome: OrderOutcome): string[] {
  const completed = outcome.sagaState === "COMPLETED";
  const complaints: string[] = [];
  const must = (holds: boolean, words: string) => void (holds || complaints.push(words));
  must(page.order?.state === outcome.sagaState, `the row says ${page.order?.state}, the saga ${outcome.sagaState}`);
  must(completed || outcome.sagaState === "FAILED", `it ended as ${outcome.sagaState}`);
  must(page.heldMinor === 0n, `${page.heldMinor} are still held`);
  must(page.revenueMinor === (completed ? TOTAL : 0n), `the revenue is ${page.revenueMinor}`);
  must(page.captures <= 1, `${page.captures} captures`);
  must(!completed || page.captures === 1, "completed without a capture");
  must(method === "card" || page.availableMinor === (completed ? 0n : TOTAL), `the wallet has ${page.availableMinor}`);
  must(method === "wallet" || page.card.captured === (completed || page.card.refunded), "the provider keeps money of no order");
  must(!completed || !page.card.refunded, "a completed order was refunded");
  must(completed || outcome.failureCode !== undefined, "it failed without a reason");
  must(completed || page.effects.at(-1) === "cancelOrder", `FAILED was told before the end of ${page.effects.join(", ")}`);
  return complaints;
}

describe.each(["wallet", "card"] as const)("an order paid by %s", (method) => {
  it("comes to a definite end whatever one or two of its steps meet, and no money is without its order", async () => {
    const cases = casesOf(method);
    const startedAtMs = Date.now();
    const wrong: string[] = [];
    const states = new Map<string, number>();
    const queue = cases.values();
    const worker = async () => {
      for (const one of queue) {
        const { page, outcome } = await run(one);
        const key = `${outcome.sagaState} ${outcome.failureCode ?? ""}`.trim();
        states.set(key, (states.get(key) ?? 0) + 1);
        const complaints = complaintsOf(one, page, outcome);
        if (complaints.length > 0) wrong.push(`${wordsOf(one.planned)} → ${complaints.join("; ")}`);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    console.log(
      `${method}: ${cases.length} cases in ${((Date.now() - startedAtMs) / 1000).toFixed(1)} s: ${[...states].map(([state, count]) => `${count} ${state}`).join(", ")}`,
    );
    expect(wrong).toEqual([]);
    // Both ends are met, or the table proves nothing.
    expect([...states.keys()].some((state) => state === "COMPLETED")).toBe(true);
    expect([...states.keys()].some((state) => state.startsWith("FAILED"))).toBe(true);
  }, 600_000);
});
