import { randomUUID } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createStripeEvents } from "../../src/adapters/psp/stripe/stripe-events.ts";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { orderWorkflowId } from "../../src/contract/ids.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { readCardOrders } from "../../src/store/orders/card-orders.ts";
import { findPaymentReference, keepPaymentReference } from "../../src/store/orders/provider-payments.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { connectStripe, openLocalstripe, openStripeLine, signEvent, type StripeDouble, type StripeLine } from "../support/stripe-bench.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const EVENTS = "/api/v1/psp/stripe/webhooks";
const [SECRET, OLD_SECRET] = ["whsec_0123456789abcdef", "whsec_fedcba9876543210"];
const CONFIRM = "POST /v1/payment_intents/{id}/confirm";
const READ = "GET /v1/payment_intents/{id}";

const stripe = await openLocalstripe();
let line: StripeLine;
let database: TestDatabase;
let store: Database;
let workflows: TestWorkflows;
let api: TestApi;
let server: HttpServer;

describe.skipIf(stripe === undefined)("orders paid at Stripe, as localstripe plays it", () => {
  beforeAll(async () => {
    line = await openStripeLine((stripe as StripeDouble).url);
    database = await createTestDatabase();
    store = createDatabase({ url: database.appUrl, name: "test-references", laneCount: 1, deadlineMs: 10_000 });
    const references = {
      find: (orderId: string) => findPaymentReference(store.db, orderId),
      keep: (orderId: string, reference: string | null) => keepPaymentReference(store.db, orderId, reference),
    };
    const psp = connectStripe(line.url, { references, rawCards: "refuse", breaker: { failures: 10_000 } });
    workflows = await startTestWorkflows(database.appUrl, ["orders", "payments"], SILENT_LOG, psp);
    api = createTestApi({
      databaseUrl: database.appUrl,
      starters: workflows.starters,
      psp,
      providerEvents: createStripeEvents({ secrets: [SECRET, OLD_SECRET] }),
      settings: { defaultCurrency: "EUR", orders: { paymentDeadlineMs: 600_000, compensationFastRetries: 1 } },
    });
    await api.call("POST", "/api/v1/services", {
      body: {
        services: [
          { id: "gig", name: "Gig" },
          { id: "record", name: "Record" },
        ],
      },
    });
    server = await listen(api.app, { host: "127.0.0.1", port: 0 });
    await (stripe as StripeDouble).post("/_config/webhooks/saldo", { url: `http://127.0.0.1:${server.port}${EVENTS}`, secret: SECRET });
  });

  afterAll(async () => {
    await expectAgreement();
    await server.close(0);
    await api.close();
    await workflows.close();
    await store.close();
    await database.drop();
    await line.close();
    await stripe?.stop();
  });

  const place = (token: string, headers: Record<string, string> = { prefer: "wait=30" }, key: string = randomUUID()) =>
    api.call("POST", "/api/v1/orders", {
      key,
      headers,
      body: {
        userId: "anna",
        items: [
          { serviceId: "gig", amount: "70" },
          { serviceId: "record", amount: "30" },
        ],
        payment: { method: "card", token },
      },
    });
  const paid = async () => (await place("pm_card_visa")).body["orderId"] as string;
  const read = async (orderId: string) => (await api.call("GET", `/api/v1/orders/${orderId}`)).body;
  const refund = (orderId: string, amount: string) =>
    api.call("POST", `/api/v1/orders/${orderId}/refunds`, { body: { amount, reason: "late" }, headers: { prefer: "wait=30" } });
  const timeline = async (orderId: string) => {
    const { body } = await api.call("GET", `/api/v1/orders/${orderId}/timeline`, { headers: { "accept-language": "en" } });
    return (body["events"] as { kind: string; text: string }[]).map(({ kind, text }) => `${kind}: ${text}`);
  };
  const revenueOf = async (serviceId: string) => {
    const [row] = await api.db.execute<{ minor: string }>(
      sql`select coalesce(sum(balance_minor), 0)::text as minor from accounts where kind = 'revenue' and owner = ${serviceId}`,
    );
    return BigInt(row?.minor ?? 0);
  };
  const referenceOf = async (orderId: string) => (await findPaymentReference(api.db, orderId)) ?? "";
  const send = (body: string, signature: string | undefined) =>
    api.call("POST", EVENTS, {
      key: null,
      rawBody: body,
      headers: { "content-type": "application/json; charset=utf-8", ...(signature === undefined ? {} : { "stripe-signature": signature }) },
    });
  const event = (type: string, object: object, more: { id?: string; created?: number } = {}) =>
    JSON.stringify({
      id: more.id ?? `evt_${randomUUID().replaceAll("-", "")}`,
      object: "event",
      type,
      created: more.created ?? Math.floor(Date.now() / 1_000),
      data: { object },
    });
  const tell = async (type: string, object: object, more: { id?: string; created?: number } = {}) => {
    const body = event(type, object, more);
    return (await send(body, signEvent(body, SECRET))).body["taken"];
  };
  const dispute = async (orderId: string, disputeId: string, amount = 10_000) => ({
    id: disputeId,
    object: "dispute",
    amount,
    currency: "eur",
    payment_intent: await referenceOf(orderId),
    reason: "fraudulent",
    status: "needs_response",
  });

  /** Saldo's books are right, and what localstripe keeps of each order is what the ledger says, but for disputes, which it knows nothing of. */
  async function expectAgreement() {
    expect((await auditBooks(api.db)).findings.flatMap(({ examples }) => examples)).toEqual([]);
    const { data: intents } = (await (stripe as StripeDouble).get("/v1/payment_intents?limit=1000")) as {
      data: { id: string; status: string; amount: number; metadata: Record<string, string> }[];
    };
    const { data: refunds } = (await (stripe as StripeDouble).get("/v1/refunds?limit=1000")) as {
      data: { payment_intent: string; amount: number }[];
    };
    const keptAtStripe = new Map<string, bigint>();
    for (const { id, status, amount, metadata } of intents) {
      if (status !== "succeeded") continue;
      const back = refunds.filter(({ payment_intent }) => payment_intent === id).reduce((sum, { amount: part }) => sum + part, 0);
      const orderId = metadata["saldo_order"] ?? "";
      keptAtStripe.set(orderId, (keptAtStripe.get(orderId) ?? 0n) + BigInt(amount - back));
    }
    const orders = await readCardOrders(api.db);
    for (const { orderId, chargedMinor, refundedMinor } of orders)
      expect([orderId, keptAtStripe.get(orderId) ?? 0n]).toEqual([
        orderId,
        chargedMinor - refundedMinor + (failedLater.get(orderId) ?? 0n),
      ]);
    const [row] = await api.db.execute<{ psp: string; disputed: string }>(sql`
      select (select coalesce(-sum(balance_minor), 0) from accounts where kind = 'psp')::text as psp,
             (select coalesce(sum(amount_minor) filter (where kind = 'dispute') - coalesce(sum(amount_minor) filter (where kind = 'dispute_reversal'), 0), 0)
                from operations where outcome = 'done')::text as disputed`);
    const late = [...failedLater.values()].reduce((sum, minor) => sum + minor, 0n);
    const kept = [...keptAtStripe.values()].reduce((sum, minor) => sum + minor, 0n);
    expect(BigInt(row?.psp ?? 0) + BigInt(row?.disputed ?? 0)).toBe(kept - late);
  }
  /** What localstripe gave back and was told to have failed afterwards, less than nothing kept there. */
  const failedLater = new Map<string, bigint>();

  test("an order is authorised, captured and booked with the buyer's token, and refunded in parts; the two books agree", async () => {
    const before = await revenueOf("gig");
    const key = randomUUID();
    const answer = await place("pm_card_visa", undefined, key);
    expect([answer.status, answer.body["sagaState"]]).toEqual([201, "COMPLETED"]);
    const orderId = answer.body["orderId"] as string;
    expect(answer.body["payment"]).toMatchObject({
      status: "captured",
      captured: "100.00",
      last4: "4242",
      brand: "visa",
      providerReference: await referenceOf(orderId),
    });
    expect((await place("pm_card_visa", undefined, key)).body["orderId"]).toBe(orderId);
    expect((await place("pm_card_other", undefined, key)).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
    expect((await revenueOf("gig")) - before).toBe(7_000n);
    for (const amount of ["25", "50"]) expect((await refund(orderId, amount)).body).toMatchObject({ status: "done" });
    expect((await read(orderId))["payment"]).toMatchObject({ status: "part_refunded", refunded: "75.00" });
    expect((await revenueOf("gig")) - before).toBe(0n);
    await expectAgreement();
  });

  test("a card number is refused where it may not pass through, and neither card nor token is no payment", async () => {
    const body = (payment: object) => ({
      userId: "anna",
      items: [{ serviceId: "gig", amount: "1" }],
      payment: { method: "card", ...payment },
    });
    const card = { number: "4242424242424242", expiry: "12/39", cvc: "123" };
    const answers = await Promise.all(
      [{ card }, {}, { card, token: "pm_card_visa" }, { token: "4242424242424242" }, { token: "pm_nobody" }].map((payment) =>
        api.call("POST", "/api/v1/orders", { body: body(payment) }),
      ),
    );
    expect(answers.map(({ status, body: { code } }) => [status, code])).toEqual([
      [422, "RAW_CARD_REFUSED"],
      [400, "INVALID_REQUEST"],
      [400, "INVALID_REQUEST"],
      [400, "INVALID_REQUEST"],
      [422, "INVALID_CARD"],
    ]);
  });

  test("a card that the bank declines ends the order, with nothing kept on either side", async () => {
    const { body } = await place("pm_card_chargeCustomerFail");
    expect(body).toMatchObject({ sagaState: "FAILED", failure: { code: "PAYMENT_DECLINED" } });
    await expectAgreement();
  });

  test("a late decline is told to the order that waits for it, which asks Stripe at once and ends", async () => {
    // Stripe declines, its answer is lost, and then it cannot be asked.
    line.fail(CONFIRM, "after");
    line.fail(READ, { status: 500, error: { type: "api_error" } }, 100_000);
    const { body } = await place("pm_card_chargeCustomerFail", { prefer: "respond-async" });
    const orderId = body["orderId"] as string;
    await until("the order waits for the provider", async () => (await read(orderId))["waitingFor"] !== undefined);
    const asked = async () => {
      const history = await workflows.client.workflow.getHandle(orderWorkflowId(orderId)).fetchHistory();
      return (history.events ?? []).filter(
        ({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name === "authoriseCard",
      ).length;
    };
    const before = await asked();
    // localstripe tells of the decline by itself, too.
    await tell("payment_intent.payment_failed", { id: await referenceOf(orderId), object: "payment_intent" });
    await until("the order asks again", async () => (await asked()) > before);
    line.mend();
    await until("the order ends", async () => (await read(orderId))["sagaState"] === "FAILED");
    expect((await read(orderId))["failure"]).toMatchObject({ code: "PAYMENT_DECLINED" });
    await expectAgreement();
  });

  test("an event is taken with a signature of the raw body alone, from now, by any of the secrets, and once", async () => {
    const body = event("payment_intent.succeeded", { id: await referenceOf(await paid()) });
    const minutes = 60_000;
    const refusals = await Promise.all([
      send(body, undefined),
      send(body, "t=1,v1=00"),
      send(body, signEvent(body, "whsec_of_somebody_else")),
      send(`${body} `, signEvent(body, SECRET)),
      send(body, signEvent(body, SECRET, Date.now() - 6 * minutes)),
    ]);
    expect(refusals.map(({ status, body: { code } }) => `${status} ${String(code)}`)).toEqual(
      Array.from({ length: 5 }, () => "400 INVALID_SIGNATURE"),
    );
    expect((await send(body, signEvent(body, OLD_SECRET))).body).toEqual({ taken: "done" });
    expect((await send(body, signEvent(body, SECRET))).body).toEqual({ taken: "known" });
    const large = event("payment_intent.succeeded", { id: "pi_x", more: "x".repeat(300_000) });
    expect((await send(large, signEvent(large, SECRET))).body["code"]).toBe("PAYLOAD_TOO_LARGE");
    expect((await send("{}", signEvent("{}", SECRET))).body["code"]).toBe("INVALID_REQUEST");
    expect(await tell("payment_intent.succeeded", { id: "pi_of_another_shop" })).toBe("foreign");
    expect(await tell("customer.created", { id: "cus_1" })).toBe("foreign");
    const without = createTestApi({ databaseUrl: database.appUrl });
    expect(
      (await without.call("POST", EVENTS, { key: null, rawBody: body, headers: { "stripe-signature": signEvent(body, SECRET) } })).status,
    ).toBe(404);
    await without.close();
  });

  test("a dispute takes its money out of the revenue of its month, once, is told on orders.events and in the timeline, and may bring it back", async () => {
    const orderId = await paid();
    await refund(orderId, "40");
    const before = [await revenueOf("gig"), await revenueOf("record")] as const;
    const month = Math.floor(Date.UTC(2031, 4, 15) / 1_000);
    const disputed = await dispute(orderId, "dp_1", 6_000);
    // In any order, as Stripe promises none.
    expect(await tell("charge.dispute.funds_withdrawn", disputed, { created: month })).toBe("done");
    expect(await tell("charge.dispute.created", disputed, { created: month - 1 })).toBe("done");
    // The same movement as another event is the same movement.
    expect(await tell("charge.dispute.funds_withdrawn", disputed, { created: month + 5 })).toBe("done");
    expect([(await revenueOf("gig")) - before[0], (await revenueOf("record")) - before[1]]).toEqual([-3_000n, -3_000n]);
    const [operation] = await api.db.execute<{ effective: string; kind: string; amount: string }>(
      sql`select kind, amount_minor::text as amount, to_char(effective_at at time zone 'UTC', 'YYYY-MM') as effective from operations where order_id = ${orderId} and kind like 'dispute%'`,
    );
    expect(operation).toEqual({ kind: "dispute", amount: "6000", effective: "2031-05" });

    expect(await tell("charge.dispute.funds_reinstated", { ...disputed, status: "won" })).toBe("done");
    expect(await tell("charge.dispute.closed", { ...disputed, status: "won" })).toBe("done");
    expect([await revenueOf("gig"), await revenueOf("record")]).toEqual(before);
    const told = await api.db.execute<{ type: string; move: string; minor: string }>(
      sql`select payload ->> 'type' as type, payload -> 'dispute' ->> 'move' as move, payload -> 'dispute' ->> 'amountMinor' as minor
            from outbox where topic = 'orders.events' and aggregate_id = ${orderId} and payload ? 'dispute' order by id`,
    );
    expect([...told].map(({ type, move, minor }) => [type, move, minor])).toEqual([
      ["payment.disputed", "withdrawn", "6000"],
      ["payment.disputed", "opened", "6000"],
      ["payment.disputed", "reinstated", "6000"],
      ["payment.disputed", "closed", "6000"],
    ]);
    expect(await timeline(orderId)).toEqual(
      expect.arrayContaining([
        "dispute: the buyer's bank disputes the payment: 60.00 EUR, needs_response, reason: fraudulent",
        "ledger: 60.00 EUR taken back by the card's bank for Gig, Record",
        "ledger: 60.00 EUR returned by the card's bank for Gig, Record",
        "dispute: the dispute is closed: 60.00 EUR, won, reason: fraudulent",
        "message: to be published to orders.events: the disputed money was taken",
      ]),
    );
    expect(await read(orderId)).toMatchObject({ status: "CONFIRMED", sagaState: "COMPLETED" });
    await expectAgreement();
  });

  test("an event whose taking was cut off is finished by its repeat, and its money moves once", async () => {
    const orderId = await paid();
    const before = await revenueOf("gig");
    const body = event("charge.dispute.funds_withdrawn", await dispute(orderId, "dp_cut", 7_000));
    // What a process that dies after the posting leaves: the posting, and no note of the event.
    const first = await send(body, signEvent(body, SECRET));
    await api.db.execute(sql`delete from provider_events where order_id = ${orderId}`);
    await Promise.all(Array.from({ length: 5 }, () => send(body, signEvent(body, SECRET))));
    expect(first.status).toBe(200);
    expect((await revenueOf("gig")) - before).toBe(-7_000n);
    const [row] = await api.db.execute<{ told: string }>(
      sql`select count(*)::text as told from outbox where aggregate_id = ${orderId} and payload ? 'dispute'`,
    );
    expect(row?.told).toBe("1");
  });

  test("a refund that fails after it was booked is revenue again, and its amount may be refunded by another one", async () => {
    const orderId = await paid();
    const before = await revenueOf("gig");
    const { body } = await refund(orderId, "30");
    expect((await revenueOf("gig")) - before).toBe(-3_000n);
    const { data } = (await (stripe as StripeDouble).get(`/v1/refunds?payment_intent=${await referenceOf(orderId)}`)) as {
      data: { id: string }[];
    };
    const failed = { id: data[0]?.id, payment_intent: await referenceOf(orderId), status: "failed", failure_reason: "lost_or_stolen_card" };
    for (let time = 0; time < 2; time += 1) expect(await tell("refund.failed", failed)).toBe("done");
    failedLater.set(orderId, -3_000n);
    expect(await revenueOf("gig")).toBe(before);
    expect((await read(orderId))["payment"]).toMatchObject({ status: "captured", refunded: "0.00" });
    const { body: list } = await api.call("GET", `/api/v1/orders/${orderId}/refunds`);
    expect(list["refunds"]).toMatchObject([{ refundId: body["refundId"], status: "refused" }]);
    await expectAgreement();
    expect((await refund(orderId, "100")).body).toMatchObject({ status: "done", amount: "100.00" });
  });

  test("localstripe's own signed event of a capture is taken", async () => {
    const orderId = await paid();
    await until("the event has come", async () => {
      const [row] = await api.db.execute<{ n: string }>(
        sql`select count(*)::text as n from provider_events where type = 'payment_intent.succeeded' and order_id = ${orderId}`,
      );
      return row?.n === "1";
    });
  });
});
