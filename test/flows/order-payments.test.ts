import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import { orderInputOf } from "../../src/store/orders/unfinished.ts";
import type { FakePsp } from "../support/fake-psp.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import type { TestWorkflows } from "../support/http-system.ts";
import { card, CARD_NUMBER, createOrderClient, expectRightBooks, openOrderShop, type OrderShop } from "../support/order-shop.ts";
import { until } from "../support/until.ts";

let shop: OrderShop;
let api: TestApi;
let psp: FakePsp;
let workflows: TestWorkflows;

beforeAll(async () => {
  shop = await openOrderShop();
  ({ api, psp, workflows } = shop);
});

afterAll(() => shop.close());

const { deposit, balance, place, placeWith, untilIs, revenueOf } = createOrderClient(() => shop);

describe("an order paid by card", () => {
  test("is authorised, captured and booked; what is kept of the card is its last digits and brand", async () => {
    const before = await revenueOf("gig");
    const answer = await place("carl", { byCard: true });
    expect([answer.status, answer.body["sagaState"]]).toEqual([201, "COMPLETED"]);
    expect(answer.body["payment"]).toMatchObject({
      status: "captured",
      authorised: "100.00",
      captured: "100.00",
      last4: "4242",
      brand: "visa",
    });
    const orderId = answer.body["orderId"] as string;
    expect([psp.captures(orderId), psp.netOf(orderId)]).toEqual([1, 10_000n]);
    expect((await revenueOf("gig")) - before).toBe(7_000n);
    const dump = await api.db.execute<{
      text: string;
    }>(sql`select (select json_agg(o) from orders o)::text || (select json_agg(p) from payments p)::text
      || coalesce((select json_agg(i) from idempotency_answers i)::text, '') as text`);
    expect(dump[0]?.text).not.toContain(CARD_NUMBER);
  });

  test("that the bank declines is FAILED and nothing was taken", async () => {
    const orderId = await placeWith((id) => psp.fail(id, "authorise", ["declined"]), "declined");
    const order = await untilIs(orderId, ({ sagaState }) => sagaState === "FAILED");
    expect(order).toMatchObject({
      status: "CANCELLED",
      failure: { code: "PAYMENT_DECLINED" },
      payment: { status: "declined", captured: "0.00" },
    });
    expect(psp.netOf(orderId)).toBe(0n);
  });

  test("whose workflow was ended from outside is answered as it stands, and as UNAVAILABLE where something is to be done", async () => {
    const orderId = await placeWith((id) => psp.fail(id, "capture", ["away"], true), "ended-outside");
    await untilIs(orderId, ({ sagaState }) => sagaState === "PAYMENT_PENDING");
    await workflows.client.workflow.getHandle(orderWorkflowId(orderId)).terminate("a test");
    const again = await place("carl", { byCard: true, key: "ended-outside", prefer: "wait=5" });
    expect([again.status, again.body]).toEqual([
      202,
      expect.objectContaining({ orderId, status: "PENDING", sagaState: "PAYMENT_PENDING" }),
    ]);
    const cancel = await api.call("POST", `/api/v1/orders/${orderId}/cancel`, { body: {} });
    expect([cancel.status, cancel.body["code"]]).toEqual([503, "UNAVAILABLE"]);
    psp.mend(orderId);
    const input = await orderInputOf(api.db, orderId);
    if (input === undefined) throw new Error("its request was not kept");
    await workflows.starters.restartOrder(input);
    expect(await untilIs(orderId, ({ sagaState }) => sagaState === "COMPLETED")).toMatchObject({ payment: { captured: "100.00" } });
    expect([psp.captures(orderId), psp.netOf(orderId)]).toEqual([1, 10_000n]);
  });

  test("with a wrong number is refused with the place, and the number is not repeated", async () => {
    const answer = await api.call("POST", "/api/v1/orders", {
      body: {
        userId: "carl",
        items: [{ serviceId: "gig", amount: "1" }],
        payment: { method: "card", card: { ...card, number: "4242424242424241" } },
      },
    });
    expect([answer.status, answer.body["code"]]).toEqual([422, "INVALID_CARD"]);
    expect(answer.text).not.toContain("424242424242424");
  });

  test.each(["away", "lost"] as const)(
    "waits visibly while the provider's answers are %s, and is completed with one capture",
    async (fault) => {
      const orderId = await placeWith((id) => psp.fail(id, "capture", [fault, fault, fault]), `waits-${fault}`);
      const order = await untilIs(orderId, ({ sagaState }) => sagaState === "COMPLETED");
      expect(order["payment"]).toMatchObject({ status: "captured" });
      expect([psp.captures(orderId), psp.netOf(orderId)]).toEqual([1, 10_000n]);
    },
  );

  test("is cancelled while it waits for the provider; a capture whose answer was lost is given back", async () => {
    const orderId = await placeWith((id) => psp.fail(id, "capture", ["lost"], true), "cancel-waiting");
    const waiting = await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined);
    expect(waiting).toMatchObject({ sagaState: "PAYMENT_PENDING", waitingFor: "the payment provider does not answer" });
    expect((await api.call("GET", `/api/v1/orders/${orderId}/undo-plan`)).body).toMatchObject({
      possible: true,
      steps: [{ step: "refund the card", amount: "100.00", currency: "RUB" }],
    });
    const answer = await api.call("POST", `/api/v1/orders/${orderId}/cancel`, { body: { reason: "changed their mind" } });
    expect([answer.status, answer.body["sagaState"]]).toEqual([200, "FAILED"]);
    expect([psp.captures(orderId), psp.netOf(orderId)]).toEqual([1, 0n]);
    expect(answer.body["payment"]).toMatchObject({ status: "refunded", refunded: "100.00" });
  });

  test("that waits past its deadline is undone: the test clock brings it on", async () => {
    const orderId = await placeWith((id) => psp.fail(id, "authorise", ["away"], true), "deadline");
    await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined);
    const moved = await api.call("POST", `/api/v1/test-clock/orders/${orderId}`, { body: { advanceMs: 60_000 } });
    expect(moved.status).toBe(200);
    const order = await untilIs(orderId, ({ sagaState }) => sagaState === "FAILED");
    expect(order).toMatchObject({ failure: { code: "PSP_UNAVAILABLE" } });
    expect(psp.book.get(`${orderId}:cancel`)?.outcome.status).toBe("approved");
  });
});

describe("a compensation past its fast retries", () => {
  const stuckOrder = async (key: string) => {
    const orderId = await placeWith((id) => {
      psp.fail(id, "capture", ["declined"]);
      psp.fail(id, "cancel", ["away"], true);
    }, key);
    const stuck = await untilIs(orderId, (order) => order["stuck"] !== undefined);
    expect(stuck).toMatchObject({
      sagaState: "COMPENSATING",
      stuck: { step: "cancel the authorisation", reason: expect.stringContaining("PSP_UNAVAILABLE") as string },
      failure: { code: "PAYMENT_DECLINED" },
    });
    return orderId;
  };
  const act = (orderId: string, body: Record<string, string>) => api.call("POST", `/api/v1/orders/${orderId}/operator-acts`, { body });

  test("is parked and listed; a retry by an operator ends it, and the act is kept", async () => {
    const orderId = await stuckOrder("stuck-retry");
    // The workflow says that it is stuck a moment before the row does.
    const listed = async () =>
      ((await api.call("GET", "/api/v1/orders?stuck=true")).body["orders"] as { orderId: string }[]).map((order) => order.orderId);
    await until("the order is listed as stuck", async () => (await listed()).includes(orderId));
    expect(await listed()).toContain(orderId);
    psp.mend(orderId);
    expect((await act(orderId, { act: "retry", reason: "the provider is back" })).status).toBe(202);
    const order = await untilIs(orderId, ({ sagaState }) => sagaState === "FAILED");
    expect(order["settledByHand"]).toBeUndefined();
    expect(order["stuck"]).toBeUndefined();
    const [kept] = await api.db.execute<{ n: string }>(
      sql`select count(*)::text as n from acts where subject_id = ${orderId} and act = 'order.retry'`,
    );
    expect(kept?.n).toBe("1");
    const events = await api.db.execute<{ stuck: string | null }>(
      sql`select payload ->> 'stuck' as stuck from outbox where aggregate_id = ${orderId} and payload ? 'stuck' order by id`,
    );
    expect(events[0]?.stuck).toBe("cancel the authorisation");
  });

  test.each(["skip", "settle"])("is ended by %s, and the order says so for ever", async (kind) => {
    const orderId = await stuckOrder(`stuck-${kind}`);
    expect((await act(orderId, { act: kind, step: "another", reason: "x" })).status).toBe(409);
    expect((await act(orderId, { act: kind, reason: "agreed with the bank" })).status).toBe(202);
    const order = await untilIs(orderId, ({ sagaState }) => sagaState === "FAILED");
    expect(order["settledByHand"]).toContain(`${kind} "cancel the authorisation" by local: agreed with the bank`);
  });

  test("cannot be decided on when nothing is stuck", async () => {
    const { body } = await place("carl", { byCard: true });
    expect((await act(body["orderId"] as string, { act: "skip", reason: "x" })).body["code"]).toBe("ORDER_STATE_CONFLICT");
    expect((await act("none", { act: "skip", reason: "x" })).body["code"]).toBe("ORDER_NOT_FOUND");
  });
});

describe("a dry run", () => {
  test("tells the balances as they would be and every refusal, and writes nothing", async () => {
    await deposit("dora", "120");
    const trial = await place("dora", { query: "?dryRun=true" });
    expect([trial.status, trial.body["wouldSucceed"]]).toEqual([200, true]);
    expect(trial.body["balances"]).toEqual({
      before: { available: "120.00", held: "0.00" },
      whileHeld: { available: "20.00", held: "100.00" },
      after: { available: "20.00", held: "0.00" },
    });
    const refused = await api.call("POST", "/api/v1/orders?dryRun=true", {
      body: { userId: "dora", items: [{ serviceId: "ghost", amount: "500" }] },
    });
    expect((refused.body["refusals"] as { code: string }[]).map(({ code }) => code)).toEqual(["UNKNOWN_SERVICE", "INSUFFICIENT_FUNDS"]);
    expect((await api.call("GET", "/api/v1/orders?userId=dora")).body["orders"]).toEqual([]);
    expect(await balance("dora")).toMatchObject({ available: "120.00", held: "0.00" });
  });

  describe("of a mode in which the wallet does not pay", () => {
    const wish = (more: object) => ({ userId: "poor", items: [{ serviceId: "gig", amount: "70" }], ...more });
    const tried = async (other: TestApi, body: object) => {
      const answer = await other.call("POST", "/api/v1/orders?dryRun=true", { body });
      await other.close();
      expect(answer.status).toBe(200);
      return answer.body;
    };
    const otherApi = (options: Partial<Parameters<typeof createTestApi>[0]>) =>
      createTestApi({ databaseUrl: shop.databaseUrl, starters: shop.workflows.starters, ...options });
    const orders = { paymentDeadlineMs: 60_000, compensationFastRetries: 1, paidBy: "saga-commands" as const };

    test("does not ask the wallet where a payment service pays", async () => {
      const trial = await tried(otherApi({ settings: { orders } }), wish({}));
      expect(trial).toMatchObject({ wouldSucceed: true, refusals: [], paidBy: "saga-commands" });
      expect(trial["steps"]).toEqual(["create the order", "ask the payment service", "wait for the payment service", "book the money"]);
      expect(trial["undecided"]).toContain("the payment service");
      expect(trial["balances"]).toBeUndefined();
    });

    test("is of the card where an order is paid by card, whoever pays the others", async () => {
      const trial = await tried(otherApi({ settings: { orders }, psp }), wish({ payment: { method: "card", card } }));
      expect(trial).toMatchObject({ wouldSucceed: true, paidBy: "card" });
      expect(trial["steps"]).toEqual(["create the order", "authorise the card", "capture the money", "book the money"]);
    });

    test("refuses a card where there is no provider, as the order would be", async () => {
      const withoutProvider = () => otherApi({});
      const body = wish({ payment: { method: "card", card } });
      const trial = await tried(withoutProvider(), body);
      expect(trial).toMatchObject({ wouldSucceed: false, refusals: [{ code: "PSP_UNAVAILABLE" }] });
      const other = withoutProvider();
      expect((await other.call("POST", "/api/v1/orders", { body })).body["code"]).toBe("PSP_UNAVAILABLE");
      await other.close();
    });
  });
});

describe("the books", () => {
  test("are right after all of it, and agree with the provider's", async () => {
    await expectRightBooks(shop);
  });
});
