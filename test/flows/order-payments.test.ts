import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { uuidOf } from "../../src/base/hash.ts";
import { LOCAL_PRINCIPAL } from "../../src/contract/identity.ts";
import { orderWorkflowId, requestKey } from "../../src/contract/ids.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { orderInputOf } from "../../src/store/orders/unfinished.ts";
import { createFakePsp, type FakePsp } from "../support/fake-psp.ts";
import { createTestApi, type TestAnswer, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const CARD_NUMBER = "4242424242424242";
let database: TestDatabase;
let workflows: TestWorkflows;
let psp: FakePsp;
let api: TestApi;
let keys = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  psp = createFakePsp();
  workflows = await startTestWorkflows(database.appUrl, ["orders", "payments"], SILENT_LOG, psp);
  const orders = { paymentDeadlineMs: 60_000, compensationFastRetries: 1 };
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, psp, settings: { orders } });
  await api.call("POST", "/api/v1/services", {
    body: {
      services: [
        { id: "gig", name: "Gig" },
        { id: "record", name: "Record" },
      ],
    },
  });
});

afterAll(async () => {
  await api.close();
  await workflows.close();
  await database.drop();
});

const card = { number: CARD_NUMBER, expiry: "12/39", cvc: "123", holderName: "ANNA" };
const deposit = (user: string, amount: string) => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount } });
const balance = async (user: string) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body;

function place(
  user: string,
  options: { byCard?: boolean; prefer?: string; key?: string; query?: string; amounts?: string[] } = {},
): Promise<TestAnswer> {
  const { byCard = false, prefer = "wait=20", key = `key-${(keys += 1)}`, query = "", amounts = ["70", "30"] } = options;
  return api.call("POST", `/api/v1/orders${query}`, {
    key,
    headers: { prefer },
    body: {
      userId: user,
      items: amounts.map((amount, n) => ({ serviceId: n % 2 === 0 ? "gig" : "record", amount })),
      ...(byCard ? { payment: { method: "card", card } } : {}),
    },
  });
}

/** An order under the key, and what its provider is told to do before it is placed. */
async function placeWith(faults: (orderId: string) => void, key: string, user = "carl"): Promise<string> {
  // The id is made of the key, so it is known before anything happens.
  const orderId = uuidOf(requestKey({ caller: LOCAL_PRINCIPAL.subject, route: "orders", idempotencyKey: key }));
  faults(orderId);
  await place(user, { byCard: true, key, prefer: "respond-async" });
  return orderId;
}

const read = async (orderId: string) => (await api.call("GET", `/api/v1/orders/${orderId}`)).body;
const untilIs = async (orderId: string, holds: (order: Record<string, unknown>) => boolean) => {
  let order: Record<string, unknown> = {};
  await until(
    "the order is as wanted",
    async () => {
      order = await read(orderId);
      return holds(order);
    },
    40_000,
  );
  return order;
};
const revenueOf = async (serviceId: string) => {
  const [row] = await api.db.execute<{ balance: string }>(
    sql`select balance_minor::text as balance from accounts where kind = 'revenue' and owner = ${serviceId}`,
  );
  return BigInt(row?.balance ?? 0);
};

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
    const listed = (await api.call("GET", "/api/v1/orders?stuck=true")).body["orders"] as { orderId: string }[];
    expect(listed.map((order) => order.orderId)).toContain(orderId);
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

describe("a refund", () => {
  const refund = (orderId: string, body: Record<string, string>, key = `refund-${(keys += 1)}`) =>
    api.call("POST", `/api/v1/orders/${orderId}/refunds`, { body: { reason: "returned", ...body }, key });

  test("gives back a part, another part and the rest, never more than was paid", async () => {
    await deposit("rita", "100");
    const orderId = (await place("rita")).body["orderId"] as string;
    const before = [await revenueOf("gig"), await revenueOf("record")] as const;
    const first = await refund(orderId, { amount: "50" }, "rita-1");
    expect([first.status, first.body["status"], first.body["amount"]]).toEqual([201, "done", "50.00"]);
    expect((await refund(orderId, { amount: "50" }, "rita-1")).body).toEqual(first.body);
    expect((await refund(orderId, { amount: "50.01" })).body["code"]).toBe("REFUND_EXCEEDS_PAYMENT");
    expect((await refund(orderId, {})).body).toMatchObject({
      amount: "50.00",
      items: [
        { serviceId: "gig", amount: "20.00" },
        { serviceId: "record", amount: "30.00" },
      ],
    });
    expect((await refund(orderId, {})).body["code"]).toBe("REFUND_EXCEEDS_PAYMENT");
    expect(await balance("rita")).toMatchObject({ available: "100.00", held: "0.00" });
    expect([before[0] - (await revenueOf("gig")), before[1] - (await revenueOf("record"))]).toEqual([7_000n, 3_000n]);
    expect((await read(orderId))["payment"]).toMatchObject({ status: "refunded", refunded: "100.00" });
    expect((await api.call("GET", `/api/v1/orders/${orderId}/refunds`)).body["refunds"]).toHaveLength(2);
  });

  test("asked for by many at once passes as often as the payment covers", async () => {
    await deposit("rob", "100");
    const orderId = (await place("rob")).body["orderId"] as string;
    const answers = await Promise.all(Array.from({ length: 8 }, () => refund(orderId, { amount: "30" })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(answers.filter(({ body }) => body["code"] === "REFUND_EXCEEDS_PAYMENT")).toHaveLength(5);
    expect(await balance("rob")).toMatchObject({ available: "90.00" });
  });

  test("of a card goes to the card; what the provider refuses is there for another refund", async () => {
    const orderId = (await place("carl", { byCard: true })).body["orderId"] as string;
    psp.fail(orderId, "refund", ["declined"]);
    expect((await refund(orderId, { amount: "40" })).body).toMatchObject({ status: "refused", failureCode: "PAYMENT_DECLINED" });
    expect((await refund(orderId, {})).body).toMatchObject({ status: "done", amount: "100.00" });
    expect(psp.netOf(orderId)).toBe(0n);
  });

  describe("that the provider does not answer", () => {
    const act = (orderId: string, body: Record<string, string>) => api.call("POST", `/api/v1/orders/${orderId}/operator-acts`, { body });
    const statusOf = async (orderId: string) =>
      ((await api.call("GET", `/api/v1/orders/${orderId}/refunds`)).body["refunds"] as { status: string }[])[0]?.status;
    const stuckRefund = async (): Promise<{ orderId: string; step: string }> => {
      const orderId = (await place("carl", { byCard: true })).body["orderId"] as string;
      psp.fail(orderId, "refund", ["away"], true);
      const asked = await api.call("POST", `/api/v1/orders/${orderId}/refunds`, {
        headers: { prefer: "respond-async" },
        body: { reason: "returned", amount: "40" },
        key: `stuck-refund-${(keys += 1)}`,
      });
      expect(asked.status).toBe(202);
      const order = await untilIs(orderId, ({ stuck }) => stuck !== undefined);
      expect(order).toMatchObject({ sagaState: "COMPLETED", stuck: { step: `refund ${asked.body["refundId"] as string}` } });
      return { orderId, step: `refund ${asked.body["refundId"] as string}` };
    };

    test("is listed as stuck; a retry ends it at once", async () => {
      const { orderId, step } = await stuckRefund();
      const listed = (await api.call("GET", "/api/v1/orders?stuck=true")).body["orders"] as { orderId: string }[];
      expect(listed.map((order) => order.orderId)).toContain(orderId);
      expect((await act(orderId, { act: "skip", reason: "x" })).body).toMatchObject({ status: 409, code: "ACT_NOT_POSSIBLE" });
      // After so many tries it rests for seconds between two of them: the retry has to come just after one, before the next comes by itself.
      const triesBefore = Math.max(6, psp.refundsAsked(orderId));
      await until("another try has failed", () => psp.refundsAsked(orderId) > triesBefore, 60_000);
      psp.mend(orderId);
      expect((await act(orderId, { act: "retry", reason: "it is back", step })).status).toBe(202);
      await until("the refund is done", async () => (await statusOf(orderId)) === "done");
      expect((await read(orderId))["stuck"]).toBeUndefined();
      expect(psp.netOf(orderId)).toBe(6_000n);
    });

    test("is settled by hand: it is booked, and the provider is not asked again", async () => {
      const { orderId } = await stuckRefund();
      psp.mend(orderId);
      await psp.refund({ key: `${orderId}:by-hand`, captureKey: `${orderId}:capture`, orderId, amountMinor: 4_000n, currency: "RUB" });
      psp.fail(orderId, "refund", ["away"], true);
      expect((await act(orderId, { act: "settle", reason: "refunded in the provider's own console" })).status).toBe(202);
      await until("the refund is done", async () => (await statusOf(orderId)) === "done");
      expect((await read(orderId))["stuck"]).toBeUndefined();
      psp.mend(orderId);
      expect(psp.netOf(orderId)).toBe(6_000n);
    });
  });

  test("needs a completed order", async () => {
    const failed = (await place("poor")).body["orderId"] as string;
    expect((await refund(failed, {})).body["code"]).toBe("ORDER_STATE_CONFLICT");
    expect((await refund("none", {})).body["code"]).toBe("ORDER_NOT_FOUND");
  });
});

describe("a pause", () => {
  test.each([false, true])("lets captures wait visibly and go on afterwards (card: %s)", async (byCard) => {
    const user = byCard ? "paula-card" : "paula";
    await deposit(user, "100");
    const begun = await api.call("POST", "/api/v1/pauses", { body: { scope: "user", id: user, reason: "a look at the books" } });
    expect(begun.status).toBe(201);
    const orderId = (await place(user, { byCard, prefer: "respond-async" })).body["orderId"] as string;
    expect(await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined)).toMatchObject({
      sagaState: "PAYMENT_PENDING",
      waitingFor: "captures and charges are paused",
    });
    expect((await place("carl", { byCard: true })).body["sagaState"]).toBe("COMPLETED");
    expect((await api.call("GET", "/api/v1/pauses")).body["pauses"]).toMatchObject([{ scope: "user", id: user }]);
    expect((await api.call("DELETE", `/api/v1/pauses?scope=user&id=${user}`)).status).toBe(204);
    expect(await untilIs(orderId, ({ sagaState }) => sagaState === "COMPLETED")).not.toHaveProperty("waitingFor");
  });

  test("does not keep an order from being cancelled", async () => {
    await deposit("pete", "100");
    await api.call("POST", "/api/v1/pauses", { body: { scope: "service", id: "record", reason: "x" } });
    const orderId = (await place("pete", { prefer: "respond-async" })).body["orderId"] as string;
    await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined);
    expect((await api.call("DELETE", `/api/v1/orders/${orderId}`)).body["status"]).toBe("CANCELLED");
    expect(await balance("pete")).toMatchObject({ available: "100.00", held: "0.00" });
    await api.call("DELETE", "/api/v1/pauses?scope=service&id=record");
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
});

describe("an order's story", () => {
  test("is told in Russian or English, with the money and its reasons, oldest first", async () => {
    await deposit("sven", "100");
    const orderId = (await place("sven")).body["orderId"] as string;
    await api.call("POST", `/api/v1/orders/${orderId}/refunds`, { body: { amount: "10", reason: "a scratch" } });
    const story = async (language: string) => {
      const { body } = await api.call("GET", `/api/v1/orders/${orderId}/timeline`, { headers: { "accept-language": language } });
      return body["events"] as { text: string; at: string }[];
    };
    const english = (await story("en")).map(({ text }) => text);
    expect(english).toEqual(
      expect.arrayContaining([
        "the order was created",
        "100.00 RUB held in the wallet",
        "100.00 RUB paid from the held money for Gig, Record",
        "the order is paid and confirmed",
        "10.00 RUB refunded for Gig",
        "the refund is done: 10.00 RUB, reason: a scratch",
      ]),
    );
    const russian = await story("ru-RU,en;q=0.5");
    expect(russian.map(({ text }) => text)).toContain("100.00 RUB отложено в кошельке");
    expect(russian.map(({ at }) => at)).toEqual(russian.map(({ at }) => at).toSorted());
  });

  test("is watched as it happens; who comes again with the last id gets only what is new", async () => {
    await deposit("wanda", "100");
    await api.call("POST", "/api/v1/pauses", { body: { scope: "user", id: "wanda", reason: "x" } });
    const orderId = (await place("wanda", { prefer: "respond-async" })).body["orderId"] as string;
    await untilIs(orderId, ({ waitingFor }) => waitingFor !== undefined);
    const stream = await api.app.request(`/api/v1/orders/${orderId}/events`);
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    await sleep(500);
    await api.call("DELETE", "/api/v1/pauses?scope=user&id=wanda");
    const text = await stream.text();
    const states = [...text.matchAll(/"sagaState":"(\w+)"/g)].map(([, state]) => state);
    expect(states).toEqual(["STARTED", "PAYMENT_PENDING", "COMPLETED"]);
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id as string);
    const again = await api.app.request(`/api/v1/orders/${orderId}/events`, { headers: { "last-event-id": ids[1] as string } });
    expect([...(await again.text()).matchAll(/"sagaState":"(\w+)"/g)].map(([, state]) => state)).toEqual(["COMPLETED"]);
    const over = await api.app.request(`/api/v1/orders/${orderId}/events`, { headers: { "last-event-id": ids[2] as string } });
    expect(over.status).toBe(204);
  });
});

describe("the books", () => {
  test("are right after all of it, and agree with the provider's", async () => {
    expect((await auditBooks(api.db)).findings.flatMap(({ examples }) => examples)).toEqual([]);
    const [ledger] = await api.db.execute<{ total: string }>(
      sql`select coalesce(-sum(balance_minor), 0)::text as total from accounts where kind = 'psp'`,
    );
    const orderIds = new Set([...psp.book.values()].map(({ orderId }) => orderId));
    expect(BigInt(ledger?.total ?? 0)).toBe([...orderIds].reduce((sum, orderId) => sum + psp.netOf(orderId), 0n));
  });
});
