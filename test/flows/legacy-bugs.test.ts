import { createServer, connect, type AddressInfo, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Log } from "../../src/adapters/log.ts";
import { DomainError } from "../../src/base/errors.ts";
import { parseAmount } from "../../src/base/money.ts";
import { purchaseOperation } from "../../src/domain/ledger/wallet-operations.ts";
import { monthOf } from "../../src/domain/reports/report-period.ts";
import { openReport } from "../../src/store/reports.ts";
import { withEnoughTime } from "../support/enough-time.ts";
import { TEST_SETTINGS } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { startLegacyApi, type LegacyApi } from "../support/legacy-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const TIME_ZONE = "Europe/Moscow";
const SHORT_TTL_MS = 400;
const errors: string[] = [];
const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: (_, message) => void errors.push(message) };

let database: TestDatabase;
let admin: postgres.Sql;
let workflows: TestWorkflows;
let legacy: LegacyApi;
let shortlived: LegacyApi;
/** An API whose reservations live for so long. */
const startShortlived = (defaultMs: number) =>
  startLegacyApi({
    databaseUrl: database.appUrl,
    starters: workflows.starters,
    log,
    settings: { reservationTtl: { ...TEST_SETTINGS.reservationTtl, defaultMs } },
  });

beforeAll(async () => {
  database = await createTestDatabase();
  admin = postgres(database.adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  workflows = await startTestWorkflows(database.appUrl, ["orders", "reports"], log);
  const { starters } = workflows;
  legacy = await startLegacyApi({ databaseUrl: database.appUrl, starters, log });
  shortlived = await startShortlived(SHORT_TTL_MS);
  await legacy.send("POST", "/api/services", { services: [{ id: 1, name: "Delivery" }] });
});

afterAll(async () => {
  await Promise.all([legacy.close(), shortlived.close()]);
  await workflows.close();
  await admin.end();
  await database.drop();
});

const credit = (user: string, amount: number | string, api = legacy) => api.send("POST", "/api", { id: user, amount });
const balanceOf = async (user: string) => (JSON.parse((await legacy.send("GET", `/api?id=${user}`)).body) as { balance: number }).balance;
const wish = (user: string, amount: number) => ({ user_id: user, service_id: 1, order_id: `order of ${user}`, amount });
const reserve = (user: string, amount: number, api = legacy) => api.send("POST", "/api/reserve", wish(user, amount));
const release = (user: string, amount: number) => legacy.send("DELETE", "/api/reserve", wish(user, amount));
const purchase = (user: string, amount: number) => legacy.send("POST", "/api/purchase", wish(user, amount));
const shown = (user: string) => legacy.send("GET", "/api/reserve", wish(user, 0));
const message = ({ body }: { body: string }) => (JSON.parse(body) as { message: string }).message;
const kindsOf = async (user: string) =>
  (await admin<{ kind: string }[]>`select kind from operations where user_id = ${user} and outcome = 'done' order by id`).map(
    ({ kind }) => kind,
  );
const sell = (key: string, serviceId: string, amountMinor: bigint, occurredAt: string) =>
  legacy.api.ledger.post(
    purchaseOperation({
      key,
      userId: "buyer",
      currency: "RUB",
      amountMinor,
      comment: "a sale",
      origin: { caller: "test", correlationId: "c" },
      paymentMethod: "credit_card",
      occurredAt,
      serviceId,
    }),
  );
const makeReport = (year: number, month: number) => legacy.send("POST", "/api/report", { year, month });
const file = (year: number, month: number, api = legacy) => api.send("GET", `/api/report/${year}/${month}/report.csv`);

test("B-01: a release gives back what is held, and another amount than that is refused", async () => {
  await credit("b01", 10);
  await reserve("b01", 1);
  expect(message(await release("b01", 1_000_000))).toBe("wrong purchase amount, stored in reserve");
  expect(await balanceOf("b01")).toBe(9);
  expect((await release("b01", 1)).body).toBe("OK");
  expect(await balanceOf("b01")).toBe(10);
});

test("B-02: amounts of zero and below are refused everywhere, and no balance can be below zero in the database", async () => {
  await credit("b02", 10);
  for (const amount of [0, -100, -0.01, "-1", "0.00"]) {
    expect((await credit("b02", amount)).status).toBe(400);
    expect((await legacy.send("POST", "/api/reserve", { ...wish("b02", 1), amount })).status).toBe(400);
    expect((await legacy.send("POST", "/api/purchase", { ...wish("b02", 1), amount })).status).toBe(400);
    expect((await legacy.send("DELETE", "/api/reserve", { ...wish("b02", 1), amount })).status).toBe(400);
  }
  expect(await balanceOf("b02")).toBe(10);
  await expect(admin`update accounts set balance_minor = -1 where owner = 'b02' and kind = 'available'`).rejects.toThrow(
    /accounts_never_below_zero/,
  );
});

test("B-03: a commit that fails is never answered with OK", async () => {
  await credit("b03", 10);
  const hasty = await startLegacyApi({ databaseUrl: database.appUrl, deadlineMs: 1_000 });
  await failCommits("true");
  const answer = await credit("b03", 5, hasty);
  await stopFailing();
  await hasty.close();
  expect(answer.status).toBe(503);
  expect(await balanceOf("b03")).toBe(10);
});

test("B-04: serialization failures are retried, and the money moves once", async () => {
  await credit("b04", 10);
  await admin`create sequence commits_failed`;
  await failCommits("nextval('public.commits_failed') <= 2");
  const answer = await credit("b04", 5);
  await stopFailing();
  const [tried] = await admin<{ last_value: string }[]>`select last_value::text from commits_failed`;
  expect(Number(tried?.last_value)).toBeGreaterThanOrEqual(3);
  expect(answer.body).toBe("OK");
  expect(await balanceOf("b04")).toBe(15);
});

test("B-05: a service name is a value, never SQL", async () => {
  const names = ["O'Brien", "x'); drop table services; --", '$$; delete from accounts; "'];
  const services = names.map((name, place) => ({ id: `b05-${place}`, name }));
  expect((await legacy.send("POST", "/api/services", { services })).body).toBe("OK");
  for (const service of services) expect(JSON.parse((await legacy.send("GET", `/api/services?id=${service.id}`)).body)).toEqual(service);
});

test("B-06: money that is held goes back by itself although the service was restarted meanwhile", async () => {
  await credit("b06", 10);
  const ttlMs = await withEnoughTime(SHORT_TTL_MS, async (timeMs) => {
    const api = await startShortlived(timeMs);
    expect((await reserve("b06", 4, api)).body).toBe("OK");
    await api.close();
    await workflows.stopWorkers();
    if ((await balanceOf("b06")) === 6) return timeMs;
    await workflows.restartWorkers();
    return undefined;
  });
  await sleep(ttlMs * 2);
  expect(await balanceOf("b06")).toBe(6);
  await workflows.restartWorkers();
  await until("the money of b06 is back", async () => (await balanceOf("b06")) === 10);
  expect(message(await shown("b06"))).toBe("money were not reserved for order");
});

test("B-07: the timer of a reservation that was released does not release the next one of the same order", async () => {
  await credit("b07", 10);
  const ttlMs = await withEnoughTime(SHORT_TTL_MS, async (timeMs) => {
    const api = await startShortlived(timeMs);
    await reserve("b07", 4, api);
    await api.close();
    const released = await release("b07", 4);
    if (released.body !== "OK" && message(released) === "money were not reserved for order") return undefined;
    expect(released.body).toBe("OK");
    return timeMs;
  });
  expect((await reserve("b07", 5)).body).toBe("OK");
  await sleep(ttlMs * 3);
  expect(JSON.parse((await shown("b07")).body)).toMatchObject({ amount: 5, purchased: false });
  expect(await balanceOf("b07")).toBe(5);
});

test("B-08: time that runs out is no error and none is logged", async () => {
  await credit("b08", 10);
  errors.length = 0;
  await reserve("b08", 4, shortlived);
  await until("the money of b08 is back", async () => (await balanceOf("b08")) === 10);
  await reserve("b08", 4);
  await purchase("b08", 4);
  expect(errors).toEqual([]);
});

test("B-09: releasing what was bought is an error, and the money stays where it is", async () => {
  await credit("b09", 10);
  await reserve("b09", 4);
  await purchase("b09", 4);
  const answer = await release("b09", 4);
  expect([answer.status, message(answer)]).toEqual([400, "the purchase has already happened"]);
  expect(await balanceOf("b09")).toBe(6);
});

test("B-10: amounts are exact to the last kopeck, all two hundred thousand of those that were not", async () => {
  for (let kopecks = 1; kopecks <= 200_000; kopecks += 1) {
    const text = `${Math.floor(kopecks / 100)}.${String(kopecks % 100).padStart(2, "0")}`;
    if (parseAmount(text, "RUB") !== BigInt(kopecks)) expect.fail(`${text} is read as ${parseAmount(text, "RUB")}`);
  }
  for (const [place, amount] of [0.15, 1.1, 0.3, 999_999.99, 1_234_567.89].entries()) {
    await credit(`b10-${place}`, amount);
    expect((await legacy.send("GET", `/api?id=b10-${place}`)).body).toBe(`{"balance":${amount}}`);
  }
});

test("B-11: sums are exact where a float of 32 bits is not, and zero has no sign", async () => {
  for (const amount of ["167772.16", "0.01", "9999999999.99"]) await credit("b11", amount);
  expect((await legacy.send("GET", "/api?id=b11")).body).toBe('{"balance":10000167772.16}');
  await credit("b11-zero", 1);
  await reserve("b11-zero", 1);
  expect((await legacy.send("GET", "/api?id=b11-zero")).body).toBe('{"balance":0}');
  for (let sale = 0; sale < 3; sale += 1) await sell(`b11-${sale}`, "1", 16_777_217n, "2021-05-10T12:00:00Z");
  await makeReport(2021, 5);
  expect((await file(2021, 5)).body).toBe("service_name,month_amount\nDelivery,503316.51\n");
});

test("B-12: every credit has its row, the second and third as well", async () => {
  for (const amount of [1, 2, 3]) await credit("b12", amount);
  expect(await kindsOf("b12")).toEqual(["deposit", "deposit", "deposit"]);
});

test("B-13: reserve, release and purchase have their rows", async () => {
  await credit("b13", 10);
  await reserve("b13", 4);
  await release("b13", 4);
  await reserve("b13", 4);
  await purchase("b13", 4);
  expect(await kindsOf("b13")).toEqual(["deposit", "hold", "release", "hold", "capture"]);
});

test("B-14: a sale at the first instant of a month is in that month and in no other", async () => {
  await sell("b14-last", "1", 100n, "2021-07-31T20:59:59.999Z");
  await sell("b14-first", "1", 25n, "2021-07-31T21:00:00.000Z");
  await Promise.all([makeReport(2021, 7), makeReport(2021, 8)]);
  expect((await file(2021, 7)).body).toBe("service_name,month_amount\nDelivery,1.00\n");
  expect((await file(2021, 8)).body).toBe("service_name,month_amount\nDelivery,0.25\n");
});

test("B-15: the lines of a report stand by name, the same each time", async () => {
  const names = ["b15 delta", "b15 alpha", "b15 Echo", "b15 charlie", "b15 bravo"];
  await legacy.send("POST", "/api/services", { services: names.map((name) => ({ id: name, name })) });
  for (const name of names) await sell(`b15-${name}`, name, 100n, "2021-03-15T12:00:00Z");
  await makeReport(2021, 3);
  const first = (await file(2021, 3)).body;
  await makeReport(2021, 3);
  expect(first.split("\n").slice(1, -1)).toEqual(names.toSorted().map((name) => `${name},1.00`));
  expect((await file(2021, 3)).body).toBe(first);
});

test("B-16: a report lies in the database, and while the next one is being made the last is served whole", async () => {
  await sell("b16", "1", 100n, "2021-02-15T12:00:00Z");
  await makeReport(2021, 2);
  await openReport(legacy.api.db, { month: "2021-02", timeZone: TIME_ZONE, correlationId: "b16" });
  const elsewhere = await startLegacyApi({ databaseUrl: database.appUrl });
  const served = await file(2021, 2, elsewhere);
  await elsewhere.close();
  expect([served.status, served.headers["x-report-version"], served.body]).toEqual([
    200,
    "1",
    "service_name,month_amount\nDelivery,1.00\n",
  ]);
});

test("B-17: a month that still runs is told to be partial, and its next report has what came since", async () => {
  const now = new Date();
  const [year, month] = monthOf(now.getTime(), TIME_ZONE).split("-").map(Number) as [number, number];
  await makeReport(year, month);
  const before = await file(year, month);
  await sell("b17", "1", 12_345n, now.toISOString());
  await makeReport(year, month);
  const after = await file(year, month);
  expect([before.headers["x-report-partial"], after.headers["x-report-partial"]]).toEqual(["true", "true"]);
  expect(after.headers["x-report-version"]).not.toBe(before.headers["x-report-version"]);
  const revenue = ({ body }: { body: string }) => Math.round(Number(/^Delivery,(.*)$/m.exec(body)?.[1] ?? 0) * 100);
  expect(revenue(after) - revenue(before)).toBe(12_345);
});

test("B-18: the missing report is told in words", async () => {
  const answer = await file(2019, 1);
  expect([answer.status, message(answer)]).toEqual([404, "the report of this month was not created"]);
});

test("B-19: a reserve is shown to none but its own user and service, and nothing of another user", async () => {
  await credit("b19", 10);
  await credit("b19-rich", 777);
  await legacy.send("POST", "/api/services", [{ id: "b19-other", name: "b19 other" }]);
  await reserve("b19", 4);
  const order = "order of b19";
  for (const other of [
    { user_id: "b19-rich", service_id: 1, order_id: order },
    { user_id: "b19", service_id: "b19-other", order_id: order },
  ]) {
    const answer = await legacy.send("GET", "/api/reserve", other);
    expect([answer.status, answer.body]).toEqual([400, '{"message":"money were not reserved for order"}']);
  }
});

test("B-20: every amount of one answer is in the same unit", async () => {
  await credit("b20", 100);
  await reserve("b20", 39.5);
  expect(JSON.parse((await shown("b20")).body)).toMatchObject({ user: { balance: 60.5 }, amount: 39.5 });
});

test("B-21: the figures of an error stand where its words say", async () => {
  await credit("b21", 10);
  expect(message(await reserve("b21", 50))).toBe("doesn't have enough money, needed: 50.00, user has: 10.00");
  const canonical = await legacy.api.call("POST", "/api/v1/reservations", {
    body: { userId: "b21", serviceId: "b21-none", orderId: "b21-order", amount: "1" },
  });
  expect(canonical.body).toMatchObject({
    code: "UNKNOWN_SERVICE",
    errors: [{ pointer: "/serviceId", message: expect.stringContaining("b21-none") }],
  });
});

test("B-22: an outage is 503 with the time to wait, and nothing internal is told", async () => {
  const port = await freePort();
  const gone = new URL(database.appUrl);
  gone.port = String(port);
  const lost = await startLegacyApi({ databaseUrl: gone.toString(), deadlineMs: 1_000 });
  const answers = await Promise.all([
    lost.send("GET", "/api?id=1"),
    lost.send("POST", "/api", { id: 1, amount: 1 }),
    lost.send("POST", "/api/reserve", wish("b22", 1)),
    lost.send("GET", "/api/report/2021/1/report.csv"),
  ]);
  await lost.close();
  for (const { status, body, headers } of answers) {
    expect(status).toBe(503);
    expect(headers["retry-after"]).toBe("1");
    expect(body).not.toMatch(/ECONN|postgres|127\.0\.0\.1|select|\d{4}/i);
  }
  const broken = await startLegacyApi({
    databaseUrl: database.appUrl,
    authenticator: { authenticate: () => Promise.reject(new TypeError("secret of the machine room")) },
  });
  const fault = await broken.send("GET", "/api?id=1");
  await broken.close();
  expect([fault.status, fault.body]).toEqual([500, '{"message":"Something went wrong on our side."}']);
});

test("B-23: a report is made by POST; GET makes one as well for old clients, is not kept by caches, and HEAD makes none", async () => {
  expect((await makeReport(2018, 1)).status).toBe(200);
  const made = await legacy.send("GET", "/api/report?year=2018&month=2");
  expect([made.status, made.headers["cache-control"]]).toEqual([200, "no-store"]);
  expect((await legacy.send("HEAD", "/api/report?year=2018&month=3")).status).toBe(405);
  expect((await file(2018, 3)).status).toBe(404);
});

test("B-24: what is read with a body can be read without one, by fetch", async () => {
  await credit("b24", 10);
  await reserve("b24", 4);
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${legacy.port}${path}`)).json();
  expect(await get("/api?id=b24")).toEqual({ balance: 6 });
  expect(await get("/api/services?id=1")).toEqual({ id: 1, name: "Delivery" });
  expect(await get(`/api/reserve?user_id=b24&service_id=1&order_id=${encodeURIComponent("order of b24")}`)).toMatchObject({ amount: 4 });
});

test("B-25: the service starts without its database, says so, and serves as soon as it is there", async () => {
  const port = await freePort();
  const later = new URL(database.appUrl);
  const target = { host: later.hostname, port: Number(later.port) };
  later.hostname = "127.0.0.1";
  later.port = String(port);
  const early = await startLegacyApi({ databaseUrl: later.toString(), deadlineMs: 5_000 });
  expect((await credit("b25", 3, early)).status).toBe(503);
  const proxy = await forward(port, target);
  await until("the database is found", async () => (await early.send("GET", "/api/services?id=1")).status === 200);
  expect((await credit("b25", 3, early)).body).toBe("OK");
  await early.close();
  proxy.close();
  expect(await balanceOf("b25")).toBe(3);
});

test("B-26: the report's statement finds a month by an index on the date of the sale", async () => {
  await admin`set enable_seqscan = off`;
  const plan = await admin.unsafe(
    "explain select service_name, sum(revenue_minor) from postings where service_id is not null and effective_at >= '2021-01-01Z' and effective_at < '2021-02-01Z' group by 1",
  );
  await admin`reset enable_seqscan`;
  const text = plan.map((row) => String(row["QUERY PLAN"])).join("\n");
  expect(text).toMatch(/postings_revenue[\s\S]*Index Cond: \(\(effective_at >=/);
});

test("B-27: no time is kept without its zone, and none is shown without it", async () => {
  const columns = await admin`
    select table_name, column_name from information_schema.columns where table_schema = 'public' and data_type = 'timestamp without time zone'`;
  expect([...columns]).toEqual([]);
  await credit("b27", 10);
  const startedAtMs = Date.now();
  await reserve("b27", 1);
  const { reserved_at: reservedAt } = JSON.parse((await shown("b27")).body) as { reserved_at: string };
  expect(reservedAt).toMatch(/\+03:00$/);
  expect(Math.abs(Date.parse(reservedAt) - startedAtMs)).toBeLessThan(10_000);
});

test("B-28: without a token nothing is read and nothing moves", async () => {
  await credit("b28", 10);
  const guarded = await startLegacyApi({
    databaseUrl: database.appUrl,
    authenticator: { authenticate: () => Promise.reject(new DomainError("UNAUTHENTICATED")) },
  });
  const answers = [await credit("b28", 5, guarded), await guarded.send("GET", "/api?id=b28"), await reserve("b28", 5, guarded)];
  await guarded.close();
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401]);
  expect(await balanceOf("b28")).toBe(10);
});

test("B-29: ids beyond 2^53 are never confused: refused as numbers, exact as text", async () => {
  const [one, other] = ["9007199254740992", "9007199254740993"];
  for (const id of [one, other, "18446744073709551615"])
    expect((await legacy.send("POST", "/api", `{"id":${id},"amount":1}`)).status).toBe(400);
  await credit(one, 1);
  await credit(other, 2);
  expect([await balanceOf(one), await balanceOf(other)]).toEqual([1, 2]);
  expect((await credit("9007199254740991", 3)).body).toBe("OK");
  expect((await legacy.send("GET", "/api", '{"id":9007199254740991}')).body).toBe('{"balance":3}');
});

/** Lets every commit that wrote an operation fail with a serialization failure, as long as the condition is true. */
async function failCommits(condition: string): Promise<void> {
  await admin.unsafe(`
    create function fail_at_commit() returns trigger language plpgsql security definer set search_path = public as $$
    begin
      if ${condition} then raise exception 'could not serialize access' using errcode = '40001'; end if;
      return null;
    end $$;
    create constraint trigger fail_at_commit after insert on operations deferrable initially deferred for each row execute function fail_at_commit();`);
}

async function stopFailing(): Promise<void> {
  await admin.unsafe("drop trigger fail_at_commit on operations; drop function fail_at_commit()");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function forward(port: number, target: { host: string; port: number }): Promise<Server> {
  const server = createServer((socket) => {
    const upstream = connect(target);
    socket.on("error", () => upstream.destroy());
    upstream.on("error", () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}
