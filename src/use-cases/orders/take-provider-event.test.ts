import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { SILENT_LOG } from "../../adapters/log.ts";
import { orderWorkflowId, paymentKey, refundKey } from "../../contract/ids.ts";
import type { ProviderEvent, ProviderNews } from "../../contract/provider-events.ts";
import { FAILED_REFUND_STEP } from "../../contract/refunds.ts";
import { createLedger, type Ledger } from "../../store/ledger/ledger.ts";
import { createOrder, getOrder, type OrderRecord } from "../../store/orders/orders.ts";
import { keepPaymentReference } from "../../store/orders/provider-payments.ts";
import { createDatabase, type Database } from "../../store/postgres/database.ts";
import { actOnOrder } from "./act-on-order.ts";
import { takeProviderEvent } from "./take-provider-event.ts";

let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let admin: postgres.Sql;
let orderId: string;
let reference: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "provider-events", laneCount: 4, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "provider-events", laneCount: 2, deadlineMs: 10_000 });
  admin = postgres(testDatabase.adminUrl, { max: 1, onnotice: () => {} });
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await admin.end();
  await testDatabase.drop();
});

beforeEach(async () => {
  orderId = randomUUID();
  reference = `pi_${orderId}`;
  await createOrder(database.db, {
    orderId,
    userId: "anna",
    currency: "EUR",
    lines: [{ lineNo: 1, serviceId: `service-${orderId}`, quantity: 1, amountMinor: "10000" }],
    totalMinor: "10000",
    paymentMethod: "card",
    card: { cardToken: "pm_1", last4: "4242", brand: "visa" },
    comment: "",
    requestHash: "hash",
    correlationId: "test",
    caller: "test",
    workflowId: orderWorkflowId(orderId),
  });
  await keepPaymentReference(database.db, orderId, reference);
});

const eventOf = (news: ProviderNews): ProviderEvent => ({
  id: `evt_${randomUUID()}`,
  type: "charge.dispute.funds_withdrawn",
  happenedAt: new Date("2031-05-15T00:00:00Z"),
  reference,
  news,
});
const take = (event: ProviderEvent, post: Ledger["post"] = ledger.post) =>
  takeProviderEvent(
    { db: database.db, ledger: { ...ledger, post }, starters: { tellProviderNews: async () => undefined as never }, log: SILENT_LOG },
    event,
    randomUUID(),
  );
const withdrawn = (currency = "EUR"): ProviderEvent =>
  eventOf({
    kind: "dispute",
    disputeId: `dp_${orderId}`,
    move: "withdrawn",
    status: "needs_response",
    reason: "fraudulent",
    amountMinor: 7_000n,
    currency,
  });
const booked = async (): Promise<string[]> => {
  const rows = await database.db.execute<{ kind: string; minor: string }>(
    sql`select kind, amount_minor::text as minor from operations where order_id = ${orderId}`,
  );
  return rows.map(({ kind, minor }) => `${kind} ${minor}`);
};
const told = async () => [
  ...(await database.db.execute<{ recorded: string; is_own: boolean }>(sql`
    select m.payload ->> 'recordedAt' as recorded, (m.payload ->> 'recordedAt')::timestamptz = d.told_at as is_own
      from outbox m join dispute_moves d on d.order_id = m.aggregate_id where m.aggregate_id = ${orderId} and m.payload ? 'dispute'`)),
];

describe("a dispute", () => {
  const deaths: readonly (readonly [string, Ledger["post"]])[] = [
    ["before its money is booked", () => Promise.reject(new Error("killed"))],
    [
      "between the booking and the message",
      async (operation) => {
        await ledger.post(operation);
        throw new Error("killed");
      },
    ],
  ];
  test.each(deaths)("whose taking dies %s is finished by its repeat, once, also by several at a time", async (_where, post) => {
    const event = withdrawn();
    await expect(take(event, post)).rejects.toThrow("killed");
    expect(await told()).toEqual([]);
    const taken = await Promise.all([take(event), take(event), take(event)]);
    expect(taken).toContain("done");
    expect(await booked()).toEqual(["dispute 7000"]);
    expect(await told()).toHaveLength(1);
    expect(await take(event)).toBe("known");
  });

  test("in another currency than its order's is not booked", async () => {
    await expect(take(withdrawn("USD"))).rejects.toMatchObject({ code: "INTERNAL" });
    expect(await booked()).toEqual([]);
  });

  test("is told with the time at which it was recorded, and not with that of the order's last change", async () => {
    await take(withdrawn());
    expect(await told()).toMatchObject([{ is_own: true }]);
  });
});

describe("a refund that failed", () => {
  const failed = (key?: string): ProviderEvent =>
    eventOf({
      kind: "refund failed",
      refundReference: `re_${orderId}`,
      reason: "expired_or_canceled_card",
      ...(key === undefined ? {} : { key }),
    });
  const refundWith = async (status: string) => {
    const refundId = randomUUID();
    await admin`update orders set saga_state = 'COMPLETED', status = 'CONFIRMED', version = version + 1 where id = ${orderId}`;
    await admin`
      insert into refunds (id, order_id, status, currency, amount_minor, lines, reason, request_hash, caller, correlation_id, created_at, updated_at)
      values (${refundId}, ${orderId}, ${status}, 'EUR', 100, '[]', 'late', 'hash', 'test', 'test', now(), now())`;
    return refundKey(orderId, refundId);
  };

  test("before it is booked is asked for again; one that was refused, or made at the provider itself, is in no book and is taken", async () => {
    await expect(take(failed(await refundWith("pending")))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await take(failed(await refundWith("refused")))).toBe("done");
    expect(await take(failed())).toBe("done");
    expect(await booked()).toEqual([]);
  });

  test("of an order that was undone is shown as stuck until an operator says that the money was given back by hand", async () => {
    await admin`update orders set saga_state = 'FAILED', status = 'CANCELLED', version = version + 1 where id = ${orderId}`;
    const order = async () => (await getOrder(database.db, orderId)) as OrderRecord;
    const undone = failed(paymentKey(orderId, "refund"));
    for (const event of [undone, { ...undone, id: "evt_again" }]) expect(await take(event)).toBe("done");
    expect(await order()).toMatchObject({ stuckStep: FAILED_REFUND_STEP });
    const act = async (wish: "retry" | "settle") =>
      actOnOrder({ db: database.db, starters: {} as never }, await order(), {
        act: wish,
        step: undefined,
        reason: "sent by bank",
        actor: "olga",
        correlationId: "test",
      });
    await expect(act("retry")).rejects.toMatchObject({ code: "ACT_NOT_POSSIBLE" });
    expect(await act("settle")).toEqual({ step: FAILED_REFUND_STEP });
    expect((await order()).stuckStep).toBeUndefined();
    expect((await order()).settledByHand).toContain("olga: sent by bank");
    // Stripe makes several events of one failure.
    await take({ ...undone, id: "evt_late" });
    expect((await order()).stuckStep).toBeUndefined();
  });
});
