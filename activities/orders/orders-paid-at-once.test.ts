import { randomUUID } from "node:crypto";
import { MockActivityEnvironment } from "@temporalio/testing";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { DomainError } from "../../src/base/errors.ts";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import type { OrderEnd, OrderSagaInput } from "../../src/contract/orders.ts";
import { depositOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { readBalances } from "../../src/store/ledger/balances.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { beginPause, endPause, PAUSE_MEMORY_MS } from "../../src/store/operators/pauses.ts";
import { beginCompensation, createOrder, getOrder, orderPaidAtOnce } from "../../src/store/orders/orders.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { tellingOrderEnds } from "../beside/order-ends.ts";
import { withFailures } from "../failures.ts";
import { createOrderActivities } from "./orders.ts";

const FAILURE = { code: "ORDER_CANCELLED", message: "the order was cancelled" };
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let sql: postgres.Sql;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "at-once", laneCount: 4, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "at-once", laneCount: 2, deadlineMs: 10_000 });
  sql = postgres(testDatabase.adminUrl, { max: 1, onnotice: () => {} });
});

afterAll(async () => {
  await Promise.all([ledger.close(), database.close(), sql.end()]);
  await testDatabase.drop();
});

/** An order with money for it, and its steps as its own workflow runs them. */
async function newOrder({ fundsMinor = 10_000n, over = ledger } = {}) {
  const orderId = randomUUID();
  const order: OrderSagaInput = {
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
  };
  const deposit = { key: `fund-${orderId}`, userId: order.userId, currency: "RUB", amountMinor: fundsMinor, comment: "test" };
  await ledger.post(depositOperation({ ...deposit, origin: { caller: "test", correlationId: "test" } }));
  const ends: OrderEnd[] = [];
  const deps = { db: database.db, ledger: over, logger: SILENT_LOG, tellOrderEnd: (end: OrderEnd) => void ends.push(end) };
  const elsewhere = { chargeOrder: async () => {}, bookSagaPayment: async () => {} };
  const steps = withFailures(tellingOrderEnds({ ...createOrderActivities(deps), ...elsewhere }, deps));
  const run = <Input, Result>(activity: (input: Input) => Promise<Result>, input: Input): Promise<Result> =>
    new MockActivityEnvironment({ workflowExecution: { workflowId: orderWorkflowId(orderId), runId: "run" } }).run(activity, input);
  return {
    order,
    ends,
    pay: (changes: Partial<OrderSagaInput> = {}) => run(steps.createOrder, { ...order, ...changes, payAtOnce: true }),
    create: () => run(steps.createOrder, order),
    hold: () => run(steps.holdOrder, { order, expiresAt: "2030-01-01T00:00:00Z" }),
    capture: () => run(steps.captureOrder, order),
  };
}

/** The messages of an order and its user by topic in their order, its transitions, money, lines and row, without what differs between two orders. */
async function tracesOf({ order: { orderId, userId } }: { readonly order: OrderSagaInput }): Promise<unknown> {
  const messages =
    await sql`select o.topic, o.payload, o.headers, p.kind, p.outcome from outbox o left join operations p on p.id = o.operation_id
    where aggregate_id in (${orderId}, ${userId}) order by o.topic, o.id`;
  const transitions = await sql`select version, saga_state, status from order_transitions where order_id = ${orderId} order by version`;
  const operations = await sql`select key, kind, outcome, refusal_code, amount_minor, workflow_id, content_hash is null as hashless
    from operations where order_id = ${orderId} order by id`;
  const postings =
    await sql`select p.amount_minor, p.hold_id, p.service_id, p.revenue_minor, p.debit_balance_minor, p.credit_balance_minor is null
    from postings p join operations o on o.id = p.operation_id where o.order_id = ${orderId} order by p.id`;
  const holds =
    await sql`select id, status, amount_minor, captured_minor, released_minor, line_no, request_hash from holds where order_id = ${orderId} order by id`;
  const row =
    await sql`select o.*, p.status as paid, p.authorised_minor, p.captured_minor from orders o join payments p on p.order_id = o.id where o.id = ${orderId}`;
  const items = await sql`select * from order_items where order_id = ${orderId} order by line_no`;
  const text = JSON.stringify({ messages, transitions, operations, postings, holds, row, items }, (name, value: unknown) =>
    ["recordedAt", "created_at", "updated_at"].includes(name) ? "then" : typeof value === "bigint" ? value.toString() : value,
  );
  return JSON.parse(text.replaceAll(orderId, "ORDER")) as unknown;
}

describe("an order that is paid at once", () => {
  it("leaves the rows, states and messages that it leaves when it is created, held and captured one step after the other", async () => {
    const atOnce = await newOrder();
    expect(await atOnce.pay()).toEqual({ created: true, sagaState: "COMPLETED", status: "CONFIRMED", requestHash: "hash" });
    const inSteps = await newOrder();
    for (const step of ["create", "hold", "capture"] as const) await inSteps[step]();
    expect(await tracesOf(atOnce)).toEqual(await tracesOf(inSteps));
    expect(await getOrder(database.db, atOnce.order.orderId)).toMatchObject({ sagaState: "COMPLETED", version: 3n });
    expect((await auditBooks(database.db)).ok).toBe(true);
  });

  it("is known without a read as the row tells it, by whoever waits for it in this process", async () => {
    const { order, ends, pay } = await newOrder();
    await pay();
    const [end] = ends;
    expect(end).toMatchObject({ orderId: order.orderId, sagaState: "COMPLETED" });
    const known = orderPaidAtOnce({ ...order, workflowId: orderWorkflowId(order.orderId) }, end?.paidAt ?? new Date(0));
    expect(known).toEqual(await getOrder(database.db, order.orderId));
  });

  it("is paid once however often and by how many at once it is asked for", async () => {
    const steps = await newOrder({ fundsMinor: 30_000n });
    const standings = await Promise.all(Array.from({ length: 8 }, () => steps.pay()));
    expect(standings.map(({ sagaState }) => sagaState)).toEqual(Array.from({ length: 8 }, () => "COMPLETED"));
    expect(standings.filter(({ created }) => created).length).toBeLessThanOrEqual(1);
    expect(await readBalances(database.db, [steps.order])).toMatchObject([{ availableMinor: 20_000n, heldMinor: 0n }]);
    const traces = await tracesOf(steps);
    await steps.pay();
    await steps.capture();
    expect(await tracesOf(steps)).toEqual(traces);
  });

  it("is paid also where its row was written before, and is then not called new", async () => {
    const steps = await newOrder();
    await steps.create();
    expect(await steps.pay()).toMatchObject({ created: false, sagaState: "COMPLETED" });
    expect(steps.ends).toEqual([{ orderId: steps.order.orderId, sagaState: "COMPLETED" }]);
    const inSteps = await newOrder();
    for (const step of ["create", "hold", "capture"] as const) await inSteps[step]();
    expect(await tracesOf(steps)).toEqual(await tracesOf(inSteps));
  });

  it("is left to the next steps without the funds, and no capture is on record", async () => {
    const steps = await newOrder({ fundsMinor: 9_999n });
    expect(await steps.pay()).toMatchObject({ sagaState: "STARTED" });
    expect(steps.ends).toEqual([]);
    await expect(steps.hold()).rejects.toMatchObject({ type: "INSUFFICIENT_FUNDS", nonRetryable: true });
    const kinds = await sql`select kind, outcome from operations where order_id = ${steps.order.orderId}`;
    expect(kinds).toEqual([{ kind: "hold", outcome: "refused" }]);
    expect(await readBalances(database.db, [steps.order])).toMatchObject([{ availableMinor: 9_999n, heldMinor: 0n }]);
  });

  it("is left alone where its id belongs to another request, and nothing is decided under its keys", async () => {
    const steps = await newOrder();
    await createOrder(database.db, { ...steps.order, workflowId: "another", requestHash: "another" });
    expect(await steps.pay()).toMatchObject({ created: false, sagaState: "STARTED", requestHash: "another" });
    expect(await sql`select 1 from operations where order_id = ${steps.order.orderId}`).toHaveLength(0);
    expect(await readBalances(database.db, [steps.order])).toMatchObject([{ availableMinor: 10_000n, heldMinor: 0n }]);
  });

  it("meets the fence of a compensation that came first", async () => {
    const steps = await newOrder();
    await beginCompensation(database.db, { ...steps.order, workflowId: orderWorkflowId(steps.order.orderId) }, FAILURE);
    expect(await steps.pay()).toMatchObject({ created: false, sagaState: "COMPENSATING" });
    expect(await readBalances(database.db, [steps.order])).toMatchObject([{ availableMinor: 10_000n, heldMinor: 0n }]);
  });

  it("is either paid or fenced when both come at once", async () => {
    const orders = await Promise.all(Array.from({ length: 30 }, () => newOrder()));
    await Promise.all(
      orders.map(async ({ order, pay }) => {
        const [standing] = await Promise.all([
          beginCompensation(database.db, { ...order, workflowId: orderWorkflowId(order.orderId) }, FAILURE),
          pay(),
        ]);
        const [balance] = await readBalances(database.db, [order]);
        const isPaid = standing.sagaState === "COMPLETED";
        expect(balance).toMatchObject({ availableMinor: isPaid ? 0n : 10_000n, heldMinor: 0n });
        expect(await getOrder(database.db, order.orderId)).toMatchObject({ sagaState: isPaid ? "COMPLETED" : "COMPENSATING" });
      }),
    );
  });

  it("is only created while a pause concerns it", async () => {
    const steps = await newOrder();
    const target = { scope: "user", subject: steps.order.userId } as const;
    await beginPause(database.db, { ...target, reason: "a test", pausedBy: "test" });
    expect(await steps.pay()).toMatchObject({ created: true, sagaState: "STARTED" });
    await endPause(database.db, target);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MEMORY_MS));
    expect(await steps.pay()).toMatchObject({ created: false, sagaState: "COMPLETED" });
  });

  it("is told as paid when the answer to its payment was lost, and as created when the payment never came there", async () => {
    const away = () => Promise.reject(new DomainError("UNAVAILABLE"));
    const lost = await newOrder({ over: { ...ledger, postPair: (pair) => ledger.postPair(pair).then(away) } });
    expect(await lost.pay()).toMatchObject({ created: false, sagaState: "COMPLETED" });
    const never = await newOrder({ over: { ...ledger, postPair: away } });
    expect(await never.pay()).toMatchObject({ created: true, sagaState: "STARTED" });
  });
});
