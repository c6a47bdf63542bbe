import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestApi, type TestAnswer, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;
let withoutTemporal: TestApi;
let closedWorkflows: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  withoutTemporal = createTestApi({ databaseUrl: database.appUrl });
  const nothing = () => Promise.resolve(undefined);
  closedWorkflows = createTestApi({
    databaseUrl: database.appUrl,
    starters: { confirmReservation: nothing, releaseReservation: nothing, reservationStatus: nothing },
  });
  await api.call("POST", "/api/v1/services", { body: { id: "seat", name: "Seat" } });
});

afterAll(async () => {
  await Promise.all([api.close(), withoutTemporal.close(), closedWorkflows.close()]);
  await workflows.close();
  await database.drop();
});

const deposit = (user: string, amount: string) => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount } });
const balance = async (user: string) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body;
const reserve = (user: string, amount: string, more: Record<string, unknown> = {}, key: string = randomUUID()) =>
  api.call("POST", "/api/v1/reservations", {
    key,
    body: { userId: user, serviceId: "seat", orderId: `order-of-${user}`, amount, ...more },
  });
const pathOf = (answer: TestAnswer) => `/api/v1/reservations/${String(answer.body["reservationId"])}`;

describe("reservations over HTTP", () => {
  test("reserved money is apart from the available and the seconds left are told", async () => {
    await deposit("anna", "100");
    const answer = await reserve("anna", "40", { ttlSeconds: 60 });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("location")).toBe(pathOf(answer));
    expect(answer.body).toMatchObject({ status: "held", amount: "40.00", held: "40.00", confirmed: "0.00", released: "0.00" });
    expect(await balance("anna")).toMatchObject({ available: "60.00", held: "40.00", total: "100.00" });
    const read = await api.call("GET", pathOf(answer));
    expect(read.body["remainingSeconds"]).toBeGreaterThan(50);
    expect(read.body["remainingSeconds"]).toBeLessThanOrEqual(60);
  });

  test("confirming makes revenue of all of it, once", async () => {
    await deposit("bob", "100");
    const path = pathOf(await reserve("bob", "40"));
    const confirm = () => api.call("POST", `${path}/confirm`, { key: "bob-confirm" });
    const first = await confirm();
    expect(first.body).toMatchObject({ status: "confirmed", confirmed: "40.00", held: "0.00", remainingSeconds: 0 });
    const again = await confirm();
    expect([again.status, again.body, again.headers.get("idempotency-replayed")]).toEqual([200, first.body, "true"]);
    const other = await api.call("POST", `${path}/confirm`);
    expect([other.status, other.body["code"]]).toEqual([409, "ALREADY_CONFIRMED"]);
    expect((await api.call("POST", `${path}/release`)).body["code"]).toBe("ALREADY_CONFIRMED");
    expect(await balance("bob")).toMatchObject({ available: "60.00", held: "0.00" });
  });

  test("a part can be confirmed, the rest stays held and can be released", async () => {
    await deposit("carl", "100");
    const path = pathOf(await reserve("carl", "40"));
    expect((await api.call("POST", `${path}/confirm`, { body: { amount: "15.50" } })).body).toMatchObject({
      status: "held",
      confirmed: "15.50",
      held: "24.50",
    });
    expect((await api.call("POST", `${path}/confirm`, { body: { amount: "24.51" } })).body["code"]).toBe("AMOUNT_EXCEEDS_HOLD");
    expect((await api.call("POST", `${path}/release`)).body).toMatchObject({
      status: "released",
      confirmed: "15.50",
      released: "24.50",
      held: "0.00",
    });
    expect(await balance("carl")).toMatchObject({ available: "84.50", held: "0.00" });
  });

  test("the same key with another amount is refused", async () => {
    await deposit("dora", "100");
    const path = pathOf(await reserve("dora", "40"));
    await api.call("POST", `${path}/confirm`, { key: "dora-1", body: { amount: "10" } });
    const other = await api.call("POST", `${path}/confirm`, { key: "dora-1", body: { amount: "11" } });
    expect([other.status, other.body["code"]]).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    const reserved = await reserve("dora", "5", {}, "dora-2");
    expect((await reserve("dora", "5", {}, "dora-2")).body["reservationId"]).toBe(reserved.body["reservationId"]);
    expect((await reserve("dora", "6", {}, "dora-2")).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
    expect(await balance("dora")).toMatchObject({ available: "55.00", held: "35.00" });
  });

  test("time runs out by itself, and a late confirm is told so", async () => {
    await deposit("eva", "10");
    const path = pathOf(await reserve("eva", "10", { ttlMs: 300 }));
    await until("it is over", async () => (await api.call("GET", path)).body["status"] !== "held");
    expect((await api.call("GET", path)).body).toMatchObject({ status: "expired", released: "10.00", remainingSeconds: 0 });
    const confirm = () => api.call("POST", `${path}/confirm`, { key: "eva-late" });
    const late = await confirm();
    expect([late.status, late.body["code"]]).toEqual([409, "RESERVATION_EXPIRED"]);
    expect((await confirm()).body["code"]).toBe("RESERVATION_EXPIRED");
    expect(await balance("eva")).toMatchObject({ available: "10.00", held: "0.00" });
  });

  test("without cover nothing is held, and the repeat learns the same", async () => {
    await deposit("fred", "10");
    const first = await reserve("fred", "10.01", {}, "fred-1");
    expect([first.status, first.body["code"]]).toEqual([422, "INSUFFICIENT_FUNDS"]);
    await deposit("fred", "100");
    expect((await reserve("fred", "10.01", {}, "fred-1")).body["code"]).toBe("INSUFFICIENT_FUNDS");
    expect(
      (
        await withoutTemporal.call("POST", "/api/v1/reservations", {
          key: "fred-1",
          body: { userId: "fred", serviceId: "seat", orderId: "order-of-fred", amount: "10.01" },
        })
      ).body["code"],
    ).toBe("INSUFFICIENT_FUNDS");
    expect(await balance("fred")).toMatchObject({ available: "110.00", held: "0.00" });
  });

  test("of many confirms and releases at once exactly one takes the money", async () => {
    await deposit("gus", "100");
    const path = pathOf(await reserve("gus", "40"));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, place) => api.call("POST", `${path}/${place % 2 === 0 ? "confirm" : "release"}`)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(9);
    const { body } = await api.call("GET", path);
    expect(await balance("gus")).toMatchObject({ available: body["status"] === "confirmed" ? "60.00" : "100.00", held: "0.00" });
  });

  test("a workflow that is over does not stand in the way: the hold's row decides", async () => {
    await deposit("hugo", "100");
    const path = pathOf(await reserve("hugo", "40"));
    const confirmed = await closedWorkflows.call("POST", `${path}/confirm`, { key: "hugo-1", body: { amount: "30" } });
    expect(confirmed.body).toMatchObject({ status: "held", confirmed: "30.00" });
    expect((await closedWorkflows.call("POST", `${path}/release`)).body).toMatchObject({ status: "released", released: "10.00" });
    expect((await closedWorkflows.call("POST", `${path}/release`)).body["code"]).toBe("ALREADY_RELEASED");
    expect(await balance("hugo")).toMatchObject({ available: "70.00", held: "0.00" });
  });

  test("reading falls back to Postgres when Temporal is gone", async () => {
    await deposit("ines", "10");
    const path = pathOf(await reserve("ines", "10", { ttlSeconds: 60 }));
    const { status, body } = await withoutTemporal.call("GET", path);
    expect([status, body["status"]]).toEqual([200, "held"]);
    expect(body["remainingSeconds"]).toBeGreaterThan(50);
    expect((await withoutTemporal.call("POST", `${path}/confirm`)).status).toBe(503);
  });

  test("one order may have several reservations, also for one service, and they are listed", async () => {
    await deposit("jana", "100");
    const reserved = [await reserve("jana", "1"), await reserve("jana", "2"), await reserve("jana", "3")].map(
      ({ body }) => body["reservationId"],
    );
    const list = async (query: string) => (await api.call("GET", `/api/v1/reservations?${query}`)).body;
    const ids = (page: Record<string, unknown>) =>
      (page["reservations"] as { reservationId: string }[]).map(({ reservationId }) => reservationId);
    expect(ids(await list("orderId=order-of-jana"))).toEqual(reserved.toReversed());
    const first = await list("userId=jana&limit=2");
    expect(ids(await list(`userId=jana&limit=2&cursor=${String(first["nextCursor"])}`))).toEqual([reserved[0]]);
    expect(ids(await list("userId=jana&status=expired"))).toEqual([]);
  });

  test.each([
    [{ ttlMs: 99 }, "/ttlMs"],
    [{ ttlSeconds: 604_801 }, "/ttlSeconds"],
    [{ ttlMs: 1_000, ttlSeconds: 1 }, "/ttlMs"],
    [{ ttlSeconds: "60" }, "/ttlSeconds"],
  ])("the time to live %j is refused", async (more, pointer) => {
    expect((await reserve("anna", "1", more)).body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer }] });
  });

  test("an unknown service is refused", async () => {
    expect((await reserve("anna", "1", { serviceId: "ghost" })).body).toMatchObject({
      code: "UNKNOWN_SERVICE",
      errors: [{ pointer: "/serviceId" }],
    });
  });
});
