import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createPsp } from "../../src/adapters/psp/psp-http.ts";
import type { Psp } from "../../src/adapters/psp/psp.ts";
import { DomainError } from "../../src/base/errors.ts";
import { purchaseOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { startSimulator, type PspSimulator } from "../../src/psp-simulator/simulator.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let api: TestApi;
let withoutProvider: TestApi;
let workflows: TestWorkflows;
let directory: string;
let simulator: PspSimulator;
/** The provider as the API sees it; a test may take its answers away. */
let lost: ((step: string) => boolean) | undefined;
let asked: string[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  directory = await mkdtemp(join(tmpdir(), "saldo-purchases-"));
  simulator = await startSimulator({ dataDir: directory, host: "127.0.0.1", port: 0, apiKey: "test-key", slowMs: 10, onBroken: () => {} });
  const psp = createPsp({ url: simulator.url, apiKey: "test-key", logger: SILENT_LOG, sleep: async () => {} });
  const through = <Input, Output>(step: string, call: (input: Input) => Promise<Output>) => {
    return async (input: Input): Promise<Output> => {
      asked.push(step);
      const answer = await call(input);
      if (lost?.(step) === true) throw new DomainError("PSP_UNAVAILABLE");
      return answer;
    };
  };
  const watched: Psp = {
    tokenise: through("tokenise", psp.tokenise),
    keepToken: psp.keepToken,
    authorise: through("authorise", psp.authorise),
    capture: through("capture", psp.capture),
    cancel: through("cancel", psp.cancel),
    refund: through("refund", psp.refund),
    lookUp: psp.lookUp,
  };
  workflows = await startTestWorkflows(database.appUrl, ["orders", "payments"], SILENT_LOG, watched);
  api = createTestApi({ databaseUrl: database.appUrl, psp: watched, starters: workflows.starters });
  withoutProvider = createTestApi({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await Promise.all([api.close(), withoutProvider.close()]);
  await workflows.close();
  await simulator.stop();
  await rm(directory, { recursive: true, force: true });
  await database.drop();
});

const CARD = { card_holder_name: "JANE DOE", card_number: "4242424242424242", card_expiry: "12/35", card_cvc: "123" };
const body = (change: Record<string, unknown> = {}) => ({
  user_id: "5f6d4a2e-7b1c-4f1e-9d55-0a6f6f1c2d3e",
  username: "jane",
  amount: 100.5,
  currency: "USD",
  payment_method: "credit_card",
  ...CARD,
  billing_address: "1 Main St",
  transaction_date: "2026-01-15T10:00:00Z",
  ...change,
});
const wallet = (change: Record<string, unknown> = {}) => ({
  user_id: "walter",
  username: "walter",
  amount: "10",
  currency: "RUB",
  payment_method: "wallet",
  transaction_date: "2026-01-15T10:00:00Z",
  ...change,
});
const buy = (what: unknown, key: string | null = null, prefer = "wait=20") =>
  api.call("POST", "/api/v1/purchases", { body: what, key, headers: { prefer } });
const capturedMinor = async () => {
  const [row] = await api.db.execute<{ sum: string }>(
    sql`select coalesce(sum(p.amount_minor), 0)::text as sum from postings p join accounts a on a.id = p.debit_account where a.kind = 'psp'`,
  );
  return BigInt(row?.sum ?? 0);
};

describe("purchases by card", () => {
  test("are charged at the provider and booked, and of the card only brand and last four digits are left", async () => {
    const answer = await buy(body());
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      purchase_id: expect.stringMatching(/^\d+$/),
      status: "completed",
      user_id: body().user_id,
      username: "jane",
      amount: "100.50",
      currency: "USD",
      payment_method: "credit_card",
      paid_by: "card",
      card: { brand: "visa", last4: "4242" },
      transaction_date: "2026-01-15T10:00:00.000Z",
      recorded_at: expect.any(String),
    });
    const got = await api.call("GET", `/api/v1/purchases/${String(answer.body["purchase_id"])}`);
    expect(got.body).toMatchObject({
      purchase_id: answer.body["purchase_id"],
      status: "completed",
      amount: "100.50",
      paid_by: "card",
      source: "http",
      username: "jane",
      service_id: "unassigned",
      comment: "purchase of jane paid by credit_card (visa ****4242)",
      transaction_date: "2026-01-15T10:00:00.000Z",
    });
    const [kept] = await api.db.execute<{ dump: string }>(sql`
      select (select coalesce(string_agg(o::text, ''), '') from operations o) || (select coalesce(string_agg(x::text, ''), '') from outbox x)
             || (select coalesce(string_agg(i::text, ''), '') from idempotency_answers i) || (select coalesce(string_agg(w::text, ''), '') from orders w)
             || (select coalesce(string_agg(y::text, ''), '') from payments y) as dump`);
    for (const secret of [CARD.card_number, CARD.card_holder_name, "1 Main St", CARD.card_expiry]) expect(kept?.dump).not.toContain(secret);
  });

  test("without a key are each a purchase of its own", async () => {
    const before = await capturedMinor();
    const [first, second] = await Promise.all([buy(body()), buy(body())]);
    expect(first?.body["purchase_id"]).not.toBe(second?.body["purchase_id"]);
    expect(await capturedMinor()).toBe(before + 20_100n);
  });

  test("with a key are one, byte for byte, and the provider is asked once", async () => {
    const before = await capturedMinor();
    const first = await buy(body(), "card-1");
    asked = [];
    const again = await buy(body(), "card-1");
    expect(again.text).toBe(first.text);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(asked).toEqual([]);
    expect(await capturedMinor()).toBe(before + 10_050n);
    for (const other of [{ amount: 1 }, { card_number: "5555555555554444" }, { transaction_date: "2026-01-16T10:00:00Z" }])
      expect((await buy(body(other), "card-1")).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
    expect(asked).toEqual([]);
  });

  test.each(["authorise", "capture"])("go on by themselves when the answer to the %s was lost", async (step) => {
    const before = await capturedMinor();
    lost = (one) => one === step;
    const first = await buy(body(), `lost-${step}`, "wait=1");
    const orderId = String(first.body["order_id"]);
    expect([first.status, first.body]).toEqual([
      202,
      { status: "pending", order_id: orderId, links: { self: `/api/v1/orders/${orderId}` } },
    ]);
    expect(first.headers.get("preference-applied")).toBe("wait=1");
    expect((await api.call("GET", `/api/v1/orders/${orderId}`)).body).toMatchObject({ paymentMethod: "card", status: "PENDING" });
    expect(await capturedMinor()).toBe(before);
    expect((await buy(body({ card_number: "5555555555554444" }), `lost-${step}`, "wait=0")).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
    lost = undefined;
    await until("it is booked", async () => (await capturedMinor()) === before + 10_050n);
    const again = await buy(body(), `lost-${step}`);
    expect([again.status, again.body["status"], again.headers.get("idempotency-replayed")]).toEqual([201, "completed", "true"]);
    expect(await capturedMinor()).toBe(before + 10_050n);
  });

  test("are booked although the worker ended between the capture and its booking, and nobody asks again", async () => {
    const before = await capturedMinor();
    let captured = () => {};
    const capture = new Promise<void>((resolve) => (captured = resolve));
    lost = (step) => {
      if (step === "capture") captured();
      return step === "capture";
    };
    const answer = await buy(body({ user_id: "interrupted" }), "interrupted", "respond-async");
    expect(answer.status).toBe(202);
    await capture;
    await workflows.stopWorkers();
    lost = undefined;
    const taken = simulator.provider
      .book()
      .entries.filter((entry) => entry.type === "payment" && entry.orderId === answer.body["order_id"]);
    expect(taken.map((entry) => (entry.type === "payment" ? `${entry.kind} ${entry.status}` : ""))).toEqual([
      "authorise approved",
      "capture approved",
    ]);
    expect(await capturedMinor()).toBe(before);
    await workflows.restartWorkers();
    await until("it is booked", async () => (await capturedMinor()) === before + 10_050n);
    const { body: list } = await api.call("GET", "/api/v1/purchases?user_id=interrupted");
    expect(list["purchases"]).toMatchObject([
      { status: "completed", paid_by: "card", source: "http", service_id: "unassigned", amount: "100.50" },
    ]);
  });

  test("can be cancelled as the order they are while the provider does not answer, and stay cancelled", async () => {
    const before = await capturedMinor();
    lost = (step) => step === "authorise";
    const { body: pending } = await buy(body(), "cancelled", "wait=1");
    expect((await api.call("POST", `/api/v1/orders/${String(pending["order_id"])}/cancel`, { body: {} })).status).toBe(200);
    lost = undefined;
    const again = await buy(body(), "cancelled");
    expect([again.status, again.body["code"]]).toEqual([409, "ORDER_CANCELLED"]);
    expect(await capturedMinor()).toBe(before);
  });

  test("and by wallet never share a key", async () => {
    await api.call("POST", "/api/v1/balances/wanda/deposits", { body: { amount: "10" } });
    expect((await buy(body(), "card-then-wallet")).status).toBe(201);
    expect((await buy(wallet({ user_id: "wanda" }), "card-then-wallet")).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
    expect((await buy(wallet({ user_id: "wanda" }), "wallet-then-card")).status).toBe(201);
    expect((await buy(body(), "wallet-then-card")).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
  });

  test("that are declined move nothing, also at the capture, and stay declined under their key", async () => {
    const before = await capturedMinor();
    for (const number of ["4000000000000002", "4000000000000101"])
      for (let time = 0; time < 2; time += 1) {
        const answer = await buy(body({ card_number: number }), `declined-${number.slice(-4)}`);
        expect([answer.status, answer.body["code"]]).toEqual([422, "PAYMENT_DECLINED"]);
      }
    expect(await capturedMinor()).toBe(before);
  });

  test("are answered with 503 where there is no provider", async () => {
    const answer = await withoutProvider.call("POST", "/api/v1/purchases", { body: body(), key: null });
    expect([answer.status, answer.body["code"]]).toEqual([503, "PSP_UNAVAILABLE"]);
  });

  test.each([
    ["a wrong digit", { card_number: "4242424242424241" }, "/card_number"],
    ["a number of letters", { card_number: "four" }, "/card_number"],
    ["an expiry before the transaction", { card_expiry: "12/25" }, "/card_expiry"],
    ["an expiry that is no month", { card_expiry: "13/35" }, "/card_expiry"],
    ["a CVC that is too short", { card_cvc: "12" }, "/card_cvc"],
  ])("with %s are refused at their place, and nothing of the card comes back", async (_what, change, pointer) => {
    const answer = await buy(body(change));
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: "INVALID_CARD", errors: [{ pointer }] });
    for (const value of Object.values({ ...CARD, ...change })) expect(answer.text).not.toContain(`"${value}"`);
  });

  test("a name that is kept must not hold a card number", async () => {
    const answer = await buy(body({ username: "4242 4242 4242 4242" }));
    expect(answer.body).toMatchObject({ code: "CARD_DATA_REFUSED", errors: [{ pointer: "/username" }] });
    expect(answer.text).not.toContain("4242 4242");
  });
});

describe("purchases by wallet", () => {
  test("debit what is available, and are refused without funds, for ever under their key", async () => {
    await api.call("POST", "/api/v1/balances/walter/deposits", { body: { amount: "15" } });
    expect((await buy(wallet(), "w-1")).body).toMatchObject({ status: "completed", paid_by: "wallet", amount: "10.00" });
    const refused = await buy(wallet(), "w-2");
    expect([refused.status, refused.body["code"]]).toEqual([422, "INSUFFICIENT_FUNDS"]);
    await api.call("POST", "/api/v1/balances/walter/deposits", { body: { amount: "15" } });
    expect((await buy(wallet(), "w-2")).body["code"]).toBe("INSUFFICIENT_FUNDS");
    expect((await api.call("GET", "/api/v1/balances/walter?currency=RUB")).body["available"]).toBe("20.00");
    const again = await buy(wallet(), "w-1");
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
  });

  test("do not take card data", async () => {
    expect((await buy(wallet({ card_number: CARD.card_number }))).body).toMatchObject({
      code: "INVALID_REQUEST",
      errors: [{ pointer: "/card_number" }],
    });
  });
});

describe("what a purchase must look like", () => {
  test.each([
    ["an unknown field", { role: "admin" }, "/role"],
    ["an unknown method", { payment_method: "barter" }, "/payment_method"],
    ["no user", { user_id: undefined }, "/user_id"],
    ["a user that would be rounded", { user_id: 1.5 }, "/user_id"],
    ["no card number", { card_number: undefined }, "/card_number"],
    ["a date of 1970", { transaction_date: "1970-01-01T00:00:00Z" }, "/transaction_date"],
    ["a date that is far ahead", { transaction_date: "2100-01-01T00:00:00Z" }, "/transaction_date"],
    ["a date without an offset", { transaction_date: "2026-01-01T00:00:00" }, "/transaction_date"],
  ])("%s is refused with its place", async (_what, change, pointer) => {
    const answer = await buy(body(change));
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer }] });
  });

  test.each(["0", "-1", "1e3", "100.505", '"NaN"', "9223372036854775808"])("the amount %s is refused", async (raw) => {
    const text = JSON.stringify(body()).replace('"amount":100.5', `"amount":${raw}`);
    const answer = await api.call("POST", "/api/v1/purchases", { rawBody: text, key: null });
    expect(answer.body).toMatchObject({ code: "INVALID_AMOUNT", errors: [{ pointer: "/amount" }] });
  });

  test("a key must be a key", async () => {
    expect((await buy(body(), "a b")).body["code"]).toBe("INVALID_IDEMPOTENCY_KEY");
  });
});

describe("reading purchases", () => {
  test("lists a user's, from HTTP and Kafka, newest first, page by page, refused ones marked", async () => {
    await api.ledger.post(
      purchaseOperation({
        key: "event:purchases@0:1",
        userId: "walter",
        currency: "RUB",
        amountMinor: 700n,
        comment: "purchase paid by credit_card, event purchases/0/1",
        origin: { caller: "kafka", correlationId: "c", position: { topic: "purchases", partition: 0, offset: "1" } },
        paymentMethod: "credit_card",
        occurredAt: "2026-01-01T00:00:00Z",
      }),
    );
    const page = (query: string) => api.call("GET", `/api/v1/purchases?user_id=walter${query}`);
    const whole = (await page("")).body["purchases"] as { source: string; status: string; paid_by: string }[];
    expect(whole.map(({ source, status, paid_by }) => [source, status, paid_by])).toEqual([
      ["kafka", "completed", "card"],
      ["http", "refused", "wallet"],
      ["http", "completed", "wallet"],
    ]);
    const first = await page("&limit=2");
    const second = await page(`&limit=2&cursor=${String(first.body["next_cursor"])}`);
    expect([...(first.body["purchases"] as []), ...(second.body["purchases"] as [])]).toEqual(whole);
    expect(second.body["next_cursor"]).toBeUndefined();
    const foreign = await api.call("GET", `/api/v1/purchases?user_id=other&cursor=${String(first.body["next_cursor"])}`);
    expect(foreign.body["code"]).toBe("INVALID_CURSOR");
  });

  test("finds no other operation, and nothing that is not there", async () => {
    const deposit = await api.call("POST", "/api/v1/balances/walter/deposits", { body: { amount: "1" } });
    for (const id of [String(deposit.body["operationId"]), "999999999", "abc", "99999999999999999999"])
      expect((await api.call("GET", `/api/v1/purchases/${id}`)).body["code"]).toBe("PURCHASE_NOT_FOUND");
    expect((await api.call("GET", "/api/v1/purchases")).body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer: "user_id" }] });
  });
});
