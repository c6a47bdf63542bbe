import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMetrics } from "../../src/adapters/metrics/metrics.ts";
import { createAdmission } from "../../src/api/http/admission.ts";
import { LOCAL_PRINCIPAL } from "../../src/contract/identity.ts";
import { createFakePsp } from "../support/fake-psp.ts";
import { createTestApi, type TestAnswer, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const TARGET_MS = 2_500;
let database: TestDatabase;
let sql: postgres.Sql;
const opened: TestApi[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  sql = postgres(database.adminUrl, { max: 2, onnotice: () => {} });
});

afterAll(async () => {
  await Promise.all(opened.map((api) => api.close()));
  await sql.end();
  await database.drop();
});

/** The ledger waits for a lock for as long as `meanwhile` runs. */
async function whileLedgerWaits(meanwhile: () => Promise<void>): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`lock table accounts in exclusive mode`;
    await meanwhile();
  });
}

const count = (answers: readonly TestAnswer[], status: number) => answers.filter((answer) => answer.status === status).length;

test("more than can be answered in time is told so at once, nothing that was let in is lost, and what was refused is done when it comes again", async () => {
  let nowMs = 0;
  const metrics = createMetrics();
  const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs, onShed: metrics.shed });
  metrics.watch({ newWork: admission.loads });
  let authenticated = 0;
  const authenticate = async () => {
    authenticated += 1;
    return LOCAL_PRINCIPAL;
  };
  const api = createTestApi({ databaseUrl: database.appUrl, admission, metrics, authenticator: { authenticate }, deadlineMs: 60_000 });
  opened.push(api);
  const userId = `shed-${randomUUID()}`;
  const keys = Array.from({ length: 60 }, (_, n) => `key-${n}-${userId}`);
  const deposit = (key: string) => api.call("POST", `/api/v1/balances/${userId}/deposits`, { body: { amount: "1.00" }, key });
  const inFlight = () => admission.loads().money.inFlight;

  // Twenty deposits take two seconds by the clock of admission: ten a second, so that ten are as much as ends in two fifths of the target.
  let first: Promise<TestAnswer[]> = Promise.resolve([]);
  await whileLedgerWaits(async () => {
    first = Promise.all(keys.slice(0, 20).map(deposit));
    await until("all are in", () => inFlight() === 20);
    nowMs += 2_000;
  });
  expect(count(await first, 201)).toBe(20);
  expect(admission.loads().money).toEqual({ limit: 10, inFlight: 0 });

  const refusals: TestAnswer[] = [];
  let second: Promise<TestAnswer>[] = [];
  await whileLedgerWaits(async () => {
    second = keys.slice(20).map((key) =>
      deposit(key).then((answer) => {
        if (answer.status === 503) refusals.push(answer);
        return answer;
      }),
    );
    // The ledger still waits: whoever is refused is told so without it.
    await until("the others are refused", () => refusals.length === 30);
    expect(inFlight()).toBe(10);
    for (const { body, headers } of refusals) {
      expect(body).toMatchObject({ code: "OVERLOADED", status: 503 });
      expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    }
    // While nothing more is let in, not even the token of what comes is looked at.
    const before = authenticated;
    expect((await deposit(`late-${userId}`)).body["code"]).toBe("OVERLOADED");
    expect(authenticated).toBe(before);
    // Reads, acts on what exists and the questions of supervisors are let in whatever waits.
    expect((await api.call("GET", `/api/v1/balances/${userId}?currency=RUB`)).body["available"]).toBe("20.00");
    expect((await api.call("GET", "/healthz")).status).toBe(200);
    for (const act of [`reservations/${randomUUID()}/confirm`, `reservations/${randomUUID()}/release`, `orders/${randomUUID()}/cancel`])
      expect((await api.call("POST", `/api/v1/${act}`, { body: {} })).body["code"], act).not.toBe("OVERLOADED");
  });
  const answers = await Promise.all(second);
  expect([count(answers, 201), count(answers, 503)]).toEqual([10, 30]);
  const text = await metrics.render();
  expect(text).toContain('http_requests_shed_total{kind="money"} 31');
  expect(text).toContain('http_new_work_limit{kind="money"} 10');

  // What was refused left no trace: the same keys are done now, the others are repeats.
  const again: TestAnswer[] = [];
  for (const key of keys) again.push(await deposit(key));
  expect(count(again, 201)).toBe(60);
  expect(again.filter(({ headers }) => headers.get("idempotency-replayed") === "true")).toHaveLength(30);
  expect((await api.call("GET", `/api/v1/balances/${userId}?currency=RUB`)).body["available"]).toBe("60.00");
});

test("an order by card takes no place while the payment provider keeps it waiting, one from the wallet does", async () => {
  const admission = createAdmission({ targetMs: TARGET_MS });
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let asked = 0;
  const waiting = async (): Promise<never> => {
    asked += 1;
    await gate;
    throw new Error("the test has ended");
  };
  const api = createTestApi({
    databaseUrl: database.appUrl,
    admission,
    psp: { ...createFakePsp(), tokenise: waiting },
    starters: { startOrder: waiting },
  });
  opened.push(api);
  const serviceId = `service-${randomUUID()}`;
  await api.call("POST", "/api/v1/services", { body: { id: serviceId, name: serviceId } });
  const order = (payment: object) =>
    api.call("POST", "/api/v1/orders", { body: { userId: "anna", items: [{ serviceId, amount: "1.00" }], ...payment } });

  const byCard = order({ payment: { method: "card", card: { number: "4111111111111111", expiry: "12/40", cvc: "123" } } });
  await until("the provider is asked", () => asked === 1);
  expect(admission.loads().orders.inFlight).toBe(0);
  const fromWallet = order({});
  await until("the order is started", () => asked === 2);
  expect(admission.loads().orders.inFlight).toBe(1);
  open();
  await Promise.all([byCard, fromWallet]);
  expect(admission.loads().orders.inFlight).toBe(0);
});

test("who sends a body slowly takes no place meanwhile, and its time says nothing of the work", async () => {
  let nowMs = 0;
  const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs });
  const api = createTestApi({ databaseUrl: database.appUrl, admission });
  opened.push(api);
  const userId = `slow-${randomUUID()}`;
  const paths = [`/api/v1/balances/${userId}/deposits`, "/api"];
  const finish: (() => void)[] = [];
  const slowly = (path: string) => {
    const text = JSON.stringify({ amount: "1.00", id: userId });
    const rawBody = new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from(text.slice(0, 5)));
        finish.push(() => {
          controller.enqueue(Buffer.from(text.slice(5)));
          controller.close();
        });
      },
    });
    return api.call("POST", path, { rawBody, headers: { "content-type": "application/json" } });
  };
  let read = 0;
  const sending = Array.from({ length: 40 }, (_, n) => slowly(paths[n % 2] ?? "").finally(() => (read += 1)));
  // Whoever is not slow is answered, though the others came first.
  await api.call("POST", paths[0] ?? "", { body: { amount: "1.00" } });
  expect(admission.loads().money.inFlight).toBe(0);
  nowMs += 20_000;
  for (const end of finish) end();
  await Promise.all(sending);
  expect(read).toBe(40);
  expect(admission.loads().money.limit).toBeGreaterThan(1_000);
});
