import { randomUUID } from "node:crypto";
import { WorkflowUpdateFailedError, type WorkflowHandle } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import { orderStatusQuery, orderUndoPlanQuery, type OrderSagaInput } from "../../src/contract/orders.ts";
import { getOrder } from "../../src/store/orders/orders.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { untilAdmitted } from "../support/until-admitted.ts";
import { until } from "../support/until.ts";

let bench: SagaBench;

beforeAll(async () => {
  bench = await openSagaBench({ redisUrl: undefined });
});
afterAll(() => bench.close());

const cardOrder = (more: Partial<OrderSagaInput> = {}): OrderSagaInput => ({
  orderId: randomUUID(),
  userId: "hana",
  currency: "RUB",
  lines: [{ lineNo: 1, serviceId: "cleaning", quantity: 1, amountMinor: "10000" }],
  totalMinor: "10000",
  paymentMethod: "card",
  card: { cardToken: "token", last4: "4242", brand: "visa" },
  comment: "test",
  requestHash: "hash",
  correlationId: "test",
  caller: "test",
  compensationFastRetries: 0,
  ...more,
});
/** An order that another service takes the payment of. */
const elsewhere = (): OrderSagaInput => {
  const { card: _card, ...wallet } = cardOrder();
  return { ...wallet, paymentMethod: "wallet", paidBy: "saga-commands" };
};
const handleOf = ({ orderId }: OrderSagaInput): WorkflowHandle => bench.client.workflow.getHandle(orderWorkflowId(orderId));
const rowOf = ({ orderId }: OrderSagaInput) => getOrder(bench.database.db, orderId);

async function start(order: OrderSagaInput, shows: "stuck" | "waitingFor"): Promise<WorkflowHandle> {
  await bench.starters.startOrder(order);
  const handle = handleOf(order);
  await until("the order shows it", async () => (await handle.query(orderStatusQuery))[shows] !== undefined);
  return handle;
}

/** A card order whose capture was declined and whose undo does not come through. */
function startStuck(order: OrderSagaInput): Promise<WorkflowHandle> {
  bench.psp.fail(order.orderId, "capture", ["declined"]);
  bench.psp.fail(order.orderId, "cancel", ["away"], true);
  return start(order, "stuck");
}

async function codeOf(update: Promise<unknown>): Promise<string | null | undefined> {
  const error: unknown = await update.then(
    () => new Error("it was not refused"),
    (reason: unknown) => reason,
  );
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) return error.cause.type;
  throw error;
}

const eventsOf = async (handle: WorkflowHandle) => (await handle.fetchHistory()).events ?? [];

/** Lets the workflow begin again, as `temporal workflow reset` does. */
async function reset(handle: WorkflowHandle): Promise<void> {
  const firstTask = (await eventsOf(handle)).find((event) => event.workflowTaskCompletedEventAttributes)?.eventId ?? null;
  await bench.client.workflowService.resetWorkflowExecution({
    namespace: bench.client.options.namespace,
    workflowExecution: { workflowId: handle.workflowId },
    workflowTaskFinishEventId: firstTask,
    requestId: randomUUID(),
    reason: "test",
  });
}

describe("an order whose workflow is reset by hand", () => {
  test("while its cancellation gives captured money back still gives it back", async () => {
    const order = cardOrder({ compensationFastRetries: 9 });
    bench.psp.fail(order.orderId, "capture", ["lost"], true);
    bench.psp.fail(order.orderId, "refund", ["away"], true);
    const handle = await start(order, "waitingFor");
    await handle.startUpdate("cancel", { args: [{ reason: "asked by phone" }], waitForStage: "ACCEPTED" });
    await until("it is undone", async () => (await rowOf(order))?.sagaState === "COMPENSATING");
    expect(bench.psp.netOf(order.orderId)).toBe(10_000n);
    await reset(handle);
    bench.psp.mend(order.orderId);
    expect(await handleOf(order).result()).toMatchObject({ sagaState: "FAILED", failureCode: "ORDER_CANCELLED" });
    expect(bench.psp.netOf(order.orderId)).toBe(0n);
    expect((await rowOf(order))?.payment).toMatchObject({ status: "refunded" });
  });

  test("and cancelled before it comes to its payment service again still asks that one for the money back", async () => {
    const order = elsewhere();
    const handle = await start(order, "waitingFor");
    await bench.stopWorker();
    await reset(handle);
    const cancelled = handleOf(order).executeUpdate("cancel", { args: [{ reason: "asked by phone" }], updateId: "cancel" });
    await untilAdmitted(bench.client, { workflowId: handle.workflowId, updateId: "cancel" });
    await bench.startWorker();
    expect(await cancelled).toMatchObject({ sagaState: "FAILED", failureCode: "ORDER_CANCELLED" });
    const sent = await bench.database.db.execute<{ command: string }>(
      sql`select convert_from(raw_value, 'UTF8')::json ->> 'command' as command from outbox where topic = 'saga.commands' and aggregate_id = ${order.orderId} order by id`,
    );
    expect(sent.map(({ command }) => command)).toEqual(["CHARGE", "REFUND"]);
  });
});

describe("a stuck order", () => {
  test("is decided by nothing that only looks like an act, and goes on as it was", async () => {
    const order = cardOrder();
    const handle = await startStuck(order);
    const words = { reason: "x", actor: "oscar" };
    await handle.signal("operatorAct");
    const garbage = [null, 5, "skip", [], { ...words, act: "banana" }, { ...words }, { ...words, act: "skip", step: 5 }];
    const unsigned = [
      { act: "skip" },
      { act: "settle", reason: "", actor: "oscar" },
      { act: "settle", reason: "x", actor: "" },
      { act: "settle", reason: "x".repeat(3_000), actor: "oscar" },
    ];
    for (const act of [...garbage, ...unsigned]) await handle.signal("operatorAct", act);
    const stuck = { stuck: "cancel the authorisation", sagaState: "COMPENSATING" };
    expect(await handle.query(orderStatusQuery)).toMatchObject({
      ...stuck,
      waitingFor: expect.stringContaining("PSP_UNAVAILABLE") as string,
    });
    // What is stuck is still to be reversed.
    expect(await handle.query(orderUndoPlanQuery)).toMatchObject({
      possible: true,
      steps: [{ step: "cancel the authorisation", amountMinor: "10000" }],
    });
    await handle.signal("operatorAct", { ...words, act: "settle" });
    expect(await handle.result()).toMatchObject({ sagaState: "FAILED", failureCode: "PAYMENT_DECLINED" });
    expect((await rowOf(order))?.settledByHand).toBe('settle "cancel the authorisation" by oscar: x');
    expect((await eventsOf(handle)).filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
  });
});

describe("an order that waits", () => {
  test("refuses updates that cannot be read, and nothing of them stays; a cancellation's reason is told", async () => {
    const order = cardOrder();
    bench.psp.fail(order.orderId, "authorise", ["away"], true);
    const handle = await start(order, "waitingFor");
    const advances = [[], [null], [{}], [{ advanceMs: null }], [{ advanceMs: "abc" }], [{ advanceMs: -1e15 }], [{ advanceMs: 1e300 }]];
    for (const args of advances) expect(await codeOf(handle.executeUpdate("advance", { args: args as [unknown] }))).toBe("INVALID_REQUEST");
    for (const given of ["now", 5, [], { reason: 5 }, { reason: "x".repeat(3_000) }])
      expect(await codeOf(handle.executeUpdate("cancel", { args: [given] }))).toBe("INVALID_REQUEST");
    const events = await eventsOf(handle);
    expect(events.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toEqual([]);
    expect(events.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
    bench.psp.mend(order.orderId);
    const reason = "asked by phone, card 4242 4242 4242 4242";
    const told = "the order was cancelled: asked by phone, card ****4242";
    expect(await handle.executeUpdate("cancel", { args: [{ reason }] })).toMatchObject({ sagaState: "FAILED", failureMessage: told });
    expect(await rowOf(order)).toMatchObject({ failureCode: "ORDER_CANCELLED", failureMessage: told });
  });

  test("for the payment service leaves an answer aside that is none", async () => {
    const handle = await start(elsewhere(), "waitingFor");
    await handle.signal("paymentReply");
    for (const reply of [null, "SUCCEEDED", { status: "banana" }, {}]) await handle.signal("paymentReply", reply);
    expect(await handle.query(orderStatusQuery)).toMatchObject({ sagaState: "PAYMENT_PENDING" });
    await handle.signal("paymentReply", { status: "FAILED", error: 5 });
    expect(await handle.result()).toMatchObject({ sagaState: "FAILED", failureCode: "PAYMENT_DECLINED" });
  });
});
