import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { beginPause, endPause } from "../../src/store/operators/pauses.ts";
import { withEnoughTime } from "../support/enough-time.ts";
import { createTestApi, TEST_SETTINGS, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { codeOf, createReservationClient } from "../support/reservation-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;
/** The same with a time of grace after a reservation's end. */
let graceful: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  graceful = createTestApi({
    databaseUrl: database.appUrl,
    starters: workflows.starters,
    settings: { reservationTtl: { ...TEST_SETTINGS.reservationTtl, graceMs: 60_000 } },
  });
  for (const id of ["seat", "meal"]) await api.call("POST", "/api/v1/services", { body: { id, name: id } });
});

afterAll(async () => {
  await Promise.all([api.close(), graceful.close()]);
  await workflows.close();
  await database.drop();
});

const balance = async (user: string) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body;
const { deposit, reserve, untilStatus } = createReservationClient(() => api);
/** Moves its end into the past, as the owner of the tables may. */
const endNow = async (id: string) => {
  const owner = postgres(database.adminUrl, { max: 1, onnotice: () => undefined });
  await owner`update holds set expires_at = now() where id = ${id}`;
  await owner.end();
};
/** A reservation of 40 of 100 whose time has passed. */
const expired = async (user: string) => {
  await deposit(user, "100");
  const reserved = await reserve(user, "40", { ttlMs: 200 });
  await untilStatus(reserved.path, "expired");
  return reserved;
};

describe("a reservation whose workflow was terminated", () => {
  test.each(["confirm", "release"])("is given back before a late %s is refused", async (act) => {
    const user = `terminated-${act}`;
    await deposit(user, "100");
    const { id, path } = await reserve(user, "40", { ttlSeconds: 600 });
    await workflows.client.workflow.getHandle(reservationWorkflowId(id)).terminate("a test");
    await endNow(id);
    await until("its time has passed", async () => (await api.call("GET", path)).body["remainingSeconds"] === 0);
    expect((await api.call("GET", path)).body["status"]).toBe("held");
    const ask = () => api.call("POST", `${path}/${act}`, { key: `${user}-1` });
    expect(codeOf(await ask())).toEqual([409, "RESERVATION_EXPIRED"]);
    expect(codeOf(await ask())).toEqual([409, "RESERVATION_EXPIRED"]);
    expect((await api.call("GET", path)).body).toMatchObject({ status: "expired", released: "40.00" });
    expect(await balance(user)).toMatchObject({ available: "100.00", held: "0.00" });
  });

  test("can be confirmed and extended as long as its time has not passed", async () => {
    await deposit("terminated-early", "100");
    const { id, path } = await reserve("terminated-early", "40", { ttlSeconds: 60 });
    await workflows.client.workflow.getHandle(reservationWorkflowId(id)).terminate("a test");
    const extended = await api.call("POST", `${path}/extend`, { body: { ttlSeconds: 120 } });
    expect(extended.body["remainingSeconds"]).toBeGreaterThan(100);
    expect((await api.call("POST", `${path}/confirm`)).body).toMatchObject({ status: "confirmed", confirmed: "40.00" });
  });
});

describe("a late confirmation", () => {
  test("is rescued once within the grace time: the money is taken from the available balance", async () => {
    const { path } = await expired("late");
    const confirm = () => graceful.call("POST", `${path}/confirm`, { key: "late-1" });
    const first = await confirm();
    expect([first.status, first.body]).toMatchObject([200, { status: "confirmed", confirmed: "40.00", released: "0.00", rescued: true }]);
    expect((await confirm()).body).toEqual(first.body);
    expect((await graceful.call("GET", path)).body).toEqual(first.body);
    expect(codeOf(await graceful.call("POST", `${path}/confirm`))).toEqual([409, "ALREADY_CONFIRMED"]);
    expect(await balance("late")).toMatchObject({ available: "60.00", held: "0.00" });
    const list = (await graceful.call("GET", "/api/v1/reservations?userId=late")).body["reservations"];
    expect(list).toEqual([first.body]);
  });

  test("of a part leaves the rest with the user; more than what went back is refused", async () => {
    const { path } = await expired("late-part");
    expect(codeOf(await graceful.call("POST", `${path}/confirm`, { body: { amount: "40.01" } }))).toEqual([422, "AMOUNT_EXCEEDS_HOLD"]);
    expect((await graceful.call("POST", `${path}/confirm`, { body: { amount: "15.50" } })).body).toMatchObject({
      confirmed: "15.50",
      released: "24.50",
      rescued: true,
    });
    expect(await balance("late-part")).toMatchObject({ available: "84.50" });
  });

  test("without the funds is told why; another one after a deposit is rescued", async () => {
    const { path } = await expired("late-poor");
    await api.call("POST", "/api/v1/balances/late-poor/withdrawals", { body: { amount: "70" } });
    const confirm = (key: string) => graceful.call("POST", `${path}/confirm`, { key });
    const refused = await confirm("late-poor-1");
    expect(codeOf(refused)).toEqual([409, "RESERVATION_EXPIRED"]);
    expect(refused.body["detail"]).toMatch(/balance does not cover/);
    await deposit("late-poor", "50");
    expect(codeOf(await confirm("late-poor-1"))).toEqual([409, "RESERVATION_EXPIRED"]);
    expect((await confirm("late-poor-2")).body).toMatchObject({ rescued: true });
    expect(codeOf(await confirm("late-poor-1"))).toEqual([409, "RESERVATION_EXPIRED"]);
    expect(await balance("late-poor")).toMatchObject({ available: "40.00" });
  });

  test("is not rescued without a grace time, nor after a release", async () => {
    const { path } = await expired("late-strict");
    expect(codeOf(await api.call("POST", `${path}/confirm`))).toEqual([409, "RESERVATION_EXPIRED"]);
    const released = await reserve("late-strict", "40");
    await api.call("POST", `${released.path}/release`);
    expect(codeOf(await graceful.call("POST", `${released.path}/confirm`))).toEqual([409, "ALREADY_RELEASED"]);
    expect(await balance("late-strict")).toMatchObject({ available: "100.00" });
  });

  test("of a hundred at once one is paid, and the others are told ALREADY_CONFIRMED", async () => {
    const { path } = await expired("late-many");
    const answers = await Promise.all(Array.from({ length: 100 }, () => graceful.call("POST", `${path}/confirm`)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.filter(({ status }) => status !== 200).map((answer) => answer.body["code"]))).toEqual(
      new Set(["ALREADY_CONFIRMED"]),
    );
    expect(await balance("late-many")).toMatchObject({ available: "60.00", held: "0.00" });
  });
});

describe("an extension", () => {
  test("moves the end away once per key, and the reservation is held until then", async () => {
    await deposit("ext", "100");
    const { path, body, extend, first } = await withEnoughTime(1_500, async (ttlMs) => {
      const reserved = await reserve("ext", "40", { ttlMs });
      const ask = (ttlSeconds: number) => api.call("POST", `${reserved.path}/extend`, { key: `ext-${ttlMs}`, body: { ttlSeconds } });
      const answer = await ask(60);
      return answer.body["code"] === "RESERVATION_EXPIRED" ? undefined : { ...reserved, extend: ask, first: answer };
    });
    expect(first.body["remainingSeconds"]).toBeGreaterThan(50);
    expect((first.body["expiresAt"] as string) > (body["expiresAt"] as string)).toBe(true);
    const again = await extend(60);
    expect([again.body["expiresAt"], again.headers.get("idempotency-replayed")]).toEqual([first.body["expiresAt"], "true"]);
    expect(codeOf(await extend(61))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    await until("its first end has passed", () => Date.now() > Date.parse(String(body["expiresAt"])) + 200);
    const read = await api.call("GET", path);
    expect(read.body).toMatchObject({ status: "held", expiresAt: first.body["expiresAt"] });
    expect((await api.call("POST", `${path}/confirm`)).body).toMatchObject({ status: "confirmed" });
    expect(codeOf(await api.call("POST", `${path}/extend`, { body: { ttlSeconds: 60 } }))).toEqual([409, "ALREADY_CONFIRMED"]);
    expect((await extend(60)).status).toBe(200);
  });

  test.each([[{}], [{ ttlMs: 1_000, ttlSeconds: 1 }], [{ ttlMs: 99 }], [{ ttlSeconds: 604_800 }]])("of %j is refused", async (body) => {
    const user = `ext-${randomUUID()}`;
    await deposit(user, "100");
    const { path } = await reserve(user, "40");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(codeOf(await api.call("POST", `${path}/extend`, { body }))).toEqual([400, "INVALID_REQUEST"]);
    await api.call("POST", `${path}/release`);
  });
});

describe("by user, service and order", () => {
  const triple = (user: string) => ({ userId: user, serviceId: "seat", orderId: `order-of-${user}` });
  const confirm = (user: string, more: Record<string, unknown> = {}, key: string = randomUUID()) =>
    api.call("POST", "/api/v1/reservations/confirm", { key, body: { ...triple(user), ...more } });
  const release = (user: string, key: string = randomUUID()) =>
    api.call("POST", "/api/v1/reservations/release", { key, body: triple(user) });

  test("the only open reservation is confirmed, in parts too, whatever was closed before", async () => {
    await deposit("tri", "100");
    const closed = await reserve("tri", "10");
    await api.call("POST", `${closed.path}/release`);
    const { id } = await reserve("tri", "40");
    expect((await confirm("tri", { amount: "15" })).body).toMatchObject({ reservationId: id, status: "held", confirmed: "15.00" });
    expect((await confirm("tri")).body).toMatchObject({ reservationId: id, status: "confirmed", confirmed: "40.00" });
    expect(codeOf(await confirm("tri"))).toEqual([409, "ALREADY_CONFIRMED"]);
    expect(await balance("tri")).toMatchObject({ available: "60.00", held: "0.00" });
  });

  test("of several nothing is done, and their ids are told", async () => {
    await deposit("twins", "100");
    const twins = [await reserve("twins", "10"), await reserve("twins", "10")];
    for (const answer of [await confirm("twins"), await release("twins")]) {
      expect(codeOf(answer)).toEqual([409, "AMBIGUOUS"]);
      const ids = (answer.body["errors"] as { message: string }[]).map(({ message }) => message);
      expect(ids.toSorted()).toEqual(twins.map(({ id }) => id).toSorted());
    }
    await api.call("POST", `${String(twins[0]?.path)}/release`);
    expect((await release("twins")).body).toMatchObject({ reservationId: twins[1]?.id, status: "released" });
    expect(await balance("twins")).toMatchObject({ available: "100.00" });
  });

  test("a repeat is about what the first request was about, also when another one is open since", async () => {
    await deposit("rep", "100");
    const { id } = await reserve("rep", "40");
    const first = await confirm("rep", {}, "rep-1");
    const other = await reserve("rep", "20");
    const again = await confirm("rep", {}, "rep-1");
    expect([first.status, again.status, again.body["reservationId"]]).toEqual([200, 200, id]);
    expect((await api.call("GET", other.path)).body["status"]).toBe("held");
    expect(codeOf(await confirm("rep", { serviceId: "meal" }, "rep-1"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    await api.call("POST", `${other.path}/release`);
  });

  test("none at all is not found, and one that ended says how", async () => {
    expect(codeOf(await confirm("nobody"))).toEqual([404, "RESERVATION_NOT_FOUND"]);
    await expired("tri-late");
    expect(codeOf(await confirm("tri-late"))).toEqual([409, "RESERVATION_EXPIRED"]);
    expect(codeOf(await release("tri-late"))).toEqual([409, "RESERVATION_EXPIRED"]);
    expect((await graceful.call("POST", "/api/v1/reservations/confirm", { body: triple("tri-late") })).body).toMatchObject({
      rescued: true,
    });
  });
});

describe("while captures are paused", () => {
  test("a confirmation is refused for now, a release is not, and what was confirmed before is told again", async () => {
    await deposit("pause", "100");
    const before = await reserve("pause", "10");
    await api.call("POST", `${before.path}/confirm`, { key: "pause-before" });
    const [first, second] = [await reserve("pause", "20"), await reserve("pause", "30")];
    const target = { scope: "user", subject: "pause" } as const;
    await beginPause(api.db, { ...target, reason: "a test", pausedBy: "test" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const refused = await api.call("POST", `${first.path}/confirm`, { key: "pause-1" });
    expect([...codeOf(refused), refused.headers.get("retry-after")]).toEqual([503, "PAUSED", expect.stringMatching(/^\d+$/)]);
    expect((await api.call("POST", `${before.path}/confirm`, { key: "pause-before" })).status).toBe(200);
    expect((await api.call("POST", `${second.path}/release`)).body).toMatchObject({ status: "released" });
    await endPause(api.db, target);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await api.call("POST", `${first.path}/confirm`, { key: "pause-1" })).body).toMatchObject({ status: "confirmed" });
  });

  test("a reservation does not expire, and does so afterwards; the audit finds nothing open past its end", async () => {
    await deposit("paused-end", "100");
    const target = { scope: "user", subject: "paused-end" } as const;
    await beginPause(api.db, { ...target, reason: "a test", pausedBy: "test" });
    const { path, body } = await reserve("paused-end", "40", { ttlMs: 500 });
    let read = body;
    await until("its end was moved on", async () => {
      read = (await api.call("GET", path)).body;
      return read["expiresAt"] !== body["expiresAt"] && Number(read["remainingSeconds"]) > 0;
    });
    expect(read["status"]).toBe("held");
    expect(read["remainingSeconds"]).toBeGreaterThan(0);
    await endPause(api.db, target);
    await until("it expired", async () => (await api.call("GET", path)).body["status"] === "expired");
  });
});

describe("a user", () => {
  test("sees their own reservations only; another's do not exist", async () => {
    await deposit("own", "100");
    const { id, path } = await reserve("own", "40");
    const asUser = (subject: string) =>
      createTestApi({
        databaseUrl: database.appUrl,
        starters: workflows.starters,
        authenticator: { authenticate: async () => ({ subject, roles: ["user"] }) },
      });
    const [owner, stranger] = [asUser("own"), asUser("stranger")];
    expect((await owner.call("GET", path)).body["reservationId"]).toBe(id);
    expect(codeOf(await stranger.call("GET", path))).toEqual([404, "RESERVATION_NOT_FOUND"]);
    for (const query of ["userId=own", "orderId=order-of-own"]) {
      expect((await owner.call("GET", `/api/v1/reservations?${query}`)).body["reservations"]).toHaveLength(1);
      expect((await stranger.call("GET", `/api/v1/reservations?${query}`)).body["reservations"]).toEqual([]);
    }
    expect((await owner.call("POST", `${path}/confirm`)).status).toBe(403);
    await Promise.all([owner.close(), stranger.close()]);
    await api.call("POST", `${path}/release`);
  });
});

test("the books are right after all of it", async () => {
  expect((await auditBooks(api.db)).findings.filter(({ broken }) => broken > 0n)).toEqual([]);
});
