import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DomainError } from "../../src/base/errors.ts";
import type { Role } from "../../src/contract/identity.ts";
import type { Starters } from "../../src/starters/index.ts";
import { beginPause, endPause } from "../../src/store/operators/pauses.ts";
import { createTestApi, type TestAnswer, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;
const opened: TestApi[] = [];

const apiWith = (starters: Partial<Starters>): TestApi => {
  const one = createTestApi({ databaseUrl: database.appUrl, starters: { ...workflows.starters, ...starters } });
  opened.push(one);
  return one;
};

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  api = apiWith({});
  for (const id of ["seat", "meal", "bag"]) await api.call("POST", "/api/v1/services", { body: { id, name: id } });
});

afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()));
  await workflows.close();
  await database.drop();
});

type Line = Record<"reservationId" | "serviceId" | "status" | "held" | "expiresAt" | "outcome" | "code", string>;

const deposit = (user: string, amount: string) => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount } });
const balance = async (user: string) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body;
const linesOf = (body: Record<string, unknown>) => (body["lines"] ?? (body["order"] as Record<string, unknown>)["lines"]) as Line[];
const pick = (body: Record<string, unknown>, ...names: (keyof Line)[]) => linesOf(body).map((line) => names.map((name) => line[name]));
const totalsOf = (body: Record<string, unknown>) => body["totals"] ?? (body["order"] as Record<string, unknown>)["totals"];
const codeOf = ({ status, body }: TestAnswer) => [status, body["code"]];
const line = (serviceId: string, amount: string) => ({ serviceId, amount });
const THREE = [line("seat", "40"), line("meal", "30"), line("bag", "20")];
const place = (user: string, lines: readonly object[], key: string = randomUUID(), by: TestApi = api) =>
  by.call("POST", "/api/v1/reservations/lines", { key, body: { userId: user, orderId: `order-of-${user}`, lines } });
const act = (
  verb: "confirm" | "release",
  user: string,
  more: Record<string, unknown> = {},
  key: string = randomUUID(),
  by: TestApi = api,
) => by.call("POST", `/api/v1/reservations/${verb}`, { key, body: { userId: user, orderId: `order-of-${user}`, ...more } });
const listed = async (user: string) =>
  (await api.call("GET", `/api/v1/reservations?userId=${user}&orderId=order-of-${user}`)).body["reservations"] as Line[];
const heldOf = async (user: string) => (await listed(user)).filter(({ status }) => status === "held").length;

describe("several lines placed together", () => {
  test("are held each by a reservation of its own, with one end, and told by line and in sum", async () => {
    await deposit("lea", "100");
    const { status, body } = await place("lea", THREE);
    expect(status).toBe(201);
    expect(pick(body, "serviceId", "status", "held")).toEqual([
      ["seat", "held", "40.00"],
      ["meal", "held", "30.00"],
      ["bag", "held", "20.00"],
    ]);
    expect(totalsOf(body)).toEqual([{ currency: "RUB", amount: "90.00", confirmed: "0.00", released: "0.00", held: "90.00" }]);
    expect(new Set(linesOf(body).map(({ expiresAt }) => expiresAt)).size).toBe(1);
    const ids = (await listed("lea")).map(({ reservationId }) => reservationId);
    expect(ids.toSorted()).toEqual(pick(body, "reservationId").flat().toSorted());
    expect(await balance("lea")).toMatchObject({ available: "10.00", held: "90.00" });
  });

  test("are not held at all where the balance covers some of them only, and the sum is told", async () => {
    await deposit("max", "75");
    const refused = await place("max", THREE, "max-1");
    expect(codeOf(refused)).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(refused.body["detail"]).toContain("90.00 RUB together, and 75.00 RUB");
    expect(await listed("max")).toEqual([]);
    expect(await balance("max")).toMatchObject({ available: "75.00", held: "0.00" });
    await deposit("max", "15");
    expect((await place("max", THREE, "max-1")).status).toBe(201);
  });

  test("are given back when a later line is refused since the money was spent meanwhile, and a repeat learns the same", async () => {
    await deposit("nik", "90");
    let placed = 0;
    const spending = apiWith({
      async placeReservation(input) {
        placed += 1;
        if (placed === 2) await api.call("POST", "/api/v1/balances/nik/withdrawals", { body: { amount: "45" } });
        return workflows.starters.placeReservation(input);
      },
    });
    const refused = await place("nik", THREE, "nik-1", spending);
    expect(codeOf(refused)).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(refused.body["errors"]).toMatchObject([{ pointer: expect.stringMatching(/^\/lines\/[12]$/) }]);
    expect(await balance("nik")).toMatchObject({ available: "45.00", held: "0.00" });
    expect((await listed("nik")).length).toBeGreaterThan(0);
    await deposit("nik", "500");
    expect(codeOf(await place("nik", THREE, "nik-1"))).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(await balance("nik")).toMatchObject({ available: "545.00", held: "0.00" });
  });

  test("of two requests at once for the same money neither keeps a part", async () => {
    await deposit("pia", "100");
    let firstLines = 0;
    let meet: () => void = () => undefined;
    const met = new Promise<void>((resolve) => {
      meet = resolve;
    });
    // Both first lines are held before either request goes on: each request has half of the money.
    const meeting = apiWith({
      async placeReservation(input) {
        const state = await workflows.starters.placeReservation(input);
        if (input.serviceId === "seat" && (firstLines += 1) === 2) meet();
        await met;
        return state;
      },
    });
    const halves = [line("seat", "50"), line("meal", "50")];
    const answers = await Promise.all(["pia-1", "pia-2"].map((key) => place("pia", halves, key, meeting)));
    expect(answers.map(codeOf)).toEqual([
      [422, "INSUFFICIENT_FUNDS"],
      [422, "INSUFFICIENT_FUNDS"],
    ]);
    expect(await balance("pia")).toMatchObject({ available: "100.00", held: "0.00" });
    const many = await Promise.all(Array.from({ length: 6 }, () => place("pia", halves)));
    const held = many.filter(({ status }) => status === 201).length;
    expect(held).toBeLessThanOrEqual(1);
    expect(await balance("pia")).toMatchObject({ held: held === 1 ? "100.00" : "0.00" });
  });

  test("are the same under the same key, and other content under it is refused and gives nothing back", async () => {
    await deposit("rosa", "200");
    const first = await place("rosa", THREE, "rosa-1");
    const again = await place("rosa", THREE, "rosa-1");
    expect([again.status, again.body, again.headers.get("idempotency-replayed")]).toEqual([201, first.body, "true"]);
    for (const lines of [THREE.slice(0, 1), [...THREE, line("seat", "1")], [line("seat", "41"), ...THREE.slice(1)], THREE.toReversed()])
      expect(codeOf(await place("rosa", lines, "rosa-1"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect(await balance("rosa")).toMatchObject({ available: "110.00", held: "90.00" });
    expect(await heldOf("rosa")).toBe(3);
  });

  const stoppingAt = (serviceId: string) =>
    apiWith({
      placeReservation: (input) =>
        input.serviceId === serviceId ? Promise.reject(new DomainError("UNAVAILABLE")) : workflows.starters.placeReservation(input),
    });

  test("go on under the same key where a request stopped, with the same end", async () => {
    await deposit("sam", "90");
    expect(codeOf(await place("sam", THREE, "sam-1", stoppingAt("meal")))).toEqual([503, "UNAVAILABLE"]);
    const before = await listed("sam");
    expect(before.some(({ serviceId }) => serviceId === "seat")).toBe(true);
    expect(codeOf(await place("sam", THREE.slice(0, 2), "sam-1"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    const { status, body } = await place("sam", THREE, "sam-1");
    expect([status, pick(body, "status").flat()]).toEqual([201, ["held", "held", "held"]]);
    const after = pick(body, "reservationId").flat();
    for (const { reservationId } of before) expect(after).toContain(reservationId);
    expect(new Set(linesOf(body).map(({ expiresAt }) => expiresAt)).size).toBe(1);
    expect(await balance("sam")).toMatchObject({ available: "0.00", held: "90.00" });
  });

  test("do not go on once a line of the unfinished request is not held any more: all or none", async () => {
    await deposit("tom", "90");
    expect((await place("tom", THREE, "tom-1", stoppingAt("bag"))).status).toBe(503);
    const [seat] = (await listed("tom")).filter(({ serviceId }) => serviceId === "seat");
    await api.call("POST", `/api/v1/reservations/${String(seat?.reservationId)}/release`);
    for (let time = 0; time < 2; time += 1) expect(codeOf(await place("tom", THREE, "tom-1"))).toEqual([409, "ALREADY_RELEASED"]);
    expect(await balance("tom")).toMatchObject({ available: "90.00", held: "0.00" });
  });

  test("after the first are not begun before the first is decided, which stands for the key", async () => {
    await deposit("theo", "90");
    expect((await place("theo", THREE, "theo-1", stoppingAt("seat"))).status).toBe(503);
    expect(await listed("theo")).toEqual([]);
    expect((await place("theo", THREE, "theo-1")).status).toBe(201);
  });

  test("that could not be given back in an outage are given back by the repeat, which learns the refusal", async () => {
    await deposit("tina", "90");
    let placed = 0;
    const stopping = apiWith({
      async placeReservation(input) {
        placed += 1;
        if (placed === 2) await api.call("POST", "/api/v1/balances/tina/withdrawals", { body: { amount: "45" } });
        return workflows.starters.placeReservation(input);
      },
      releaseReservation: () => Promise.reject(new DomainError("UNAVAILABLE")),
    });
    expect(codeOf(await place("tina", THREE, "tina-1", stopping))).toEqual([503, "UNAVAILABLE"]);
    expect(await heldOf("tina")).toBeGreaterThan(0);
    expect(codeOf(await place("tina", THREE, "tina-1"))).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(await balance("tina")).toMatchObject({ available: "45.00", held: "0.00" });
  });

  test("with an unknown service or a bad amount in one line are not held at all, and the line is named", async () => {
    await deposit("uma", "100");
    const ghost = await place("uma", [line("seat", "10"), line("ghost", "10")]);
    expect(ghost.body).toMatchObject({ code: "UNKNOWN_SERVICE", errors: [{ pointer: "/lines/1/serviceId" }] });
    const bad = await place("uma", [line("seat", "10"), line("meal", "1.001")]);
    expect(bad.body).toMatchObject({ code: "INVALID_AMOUNT", errors: [{ pointer: "/lines/1/amount" }] });
    for (const lines of [[], Array.from({ length: 101 }, () => line("seat", "0.01"))])
      expect((await place("uma", lines)).body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer: "/lines" }] });
    expect(await listed("uma")).toEqual([]);
    expect(await balance("uma")).toMatchObject({ available: "100.00", held: "0.00" });
  });

  test("that were held are given back when a service of the missing ones is not sold any more", async () => {
    await api.call("POST", "/api/v1/services", { body: { id: "fading", name: "fading" } });
    await deposit("udo", "100");
    const lines = [line("seat", "10"), line("fading", "10")];
    expect((await place("udo", lines, "udo-1", stoppingAt("fading"))).status).toBe(503);
    expect(await balance("udo")).toMatchObject({ held: "10.00" });
    await api.call("DELETE", "/api/v1/services/fading");
    expect(codeOf(await place("udo", lines, "udo-1"))).toEqual([422, "UNKNOWN_SERVICE"]);
    expect(await balance("udo")).toMatchObject({ available: "100.00", held: "0.00" });
  });

  test("a hundred lines are taken", async () => {
    await deposit("hundred", "1");
    const lines = Array.from({ length: 100 }, () => line("seat", "0.01"));
    expect((await place("hundred", lines)).status).toBe(201);
    expect(await balance("hundred")).toMatchObject({ available: "0.00", held: "1.00" });
  });
});

describe("all lines of an order", () => {
  test("are released but for the one that was confirmed, and the answer tells each", async () => {
    await deposit("vera", "100");
    const placed = await place("vera", THREE);
    const [[seat] = []] = pick(placed.body, "reservationId");
    expect((await api.call("POST", `/api/v1/reservations/${seat}/confirm`)).status).toBe(200);
    const { status, body } = await act("release", "vera");
    expect(status).toBe(200);
    expect(
      linesOf(body)
        .map(({ serviceId, status: state, outcome }) => [serviceId, state, outcome])
        .toSorted(),
    ).toEqual([
      ["bag", "released", "done"],
      ["meal", "released", "done"],
      ["seat", "confirmed", undefined],
    ]);
    expect(totalsOf(body)).toEqual([{ currency: "RUB", amount: "90.00", confirmed: "40.00", released: "50.00", held: "0.00" }]);
    expect(await balance("vera")).toMatchObject({ available: "60.00", held: "0.00" });
  });

  test("are confirmed once: a repeat is the same, and another request is told so", async () => {
    await deposit("willi", "100");
    await place("willi", THREE);
    const first = await act("confirm", "willi", {}, "willi-1");
    expect([first.status, totalsOf(first.body)]).toEqual([200, [expect.objectContaining({ confirmed: "90.00", held: "0.00" })]]);
    const again = await act("confirm", "willi", {}, "willi-1");
    expect([again.status, again.body, again.headers.get("idempotency-replayed")]).toEqual([200, first.body, "true"]);
    expect(codeOf(await act("confirm", "willi"))).toEqual([409, "ALREADY_CONFIRMED"]);
    expect(codeOf(await act("release", "willi"))).toEqual([409, "ALREADY_CONFIRMED"]);
    expect(await balance("willi")).toMatchObject({ available: "10.00", held: "0.00" });
    expect(codeOf(await act("confirm", "nobody"))).toEqual([404, "RESERVATION_NOT_FOUND"]);
  });

  test("are confirmed as far as they can be: a paused one is undecided, and the same request goes on with it", async () => {
    await deposit("xenia", "100");
    await place("xenia", THREE);
    const target = { scope: "service", subject: "meal" } as const;
    await beginPause(api.db, { ...target, reason: "a test", pausedBy: "test" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const partly = await act("confirm", "xenia", {}, "xenia-1");
    await endPause(api.db, target);
    expect([...codeOf(partly), partly.headers.get("retry-after")]).toEqual([503, "PAUSED", expect.stringMatching(/^\d+$/)]);
    expect(
      linesOf(partly.body)
        .map(({ serviceId, outcome, code }) => [serviceId, outcome, code])
        .toSorted(),
    ).toEqual([
      ["bag", "done", undefined],
      ["meal", "undecided", "PAUSED"],
      ["seat", "done", undefined],
    ]);
    expect(totalsOf(partly.body)).toMatchObject([{ confirmed: "60.00", held: "30.00" }]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const rest = await act("confirm", "xenia", {}, "xenia-1");
    expect([rest.status, pick(rest.body, "outcome").flat()]).toEqual([200, ["done", "done", "done"]]);
    expect(await balance("xenia")).toMatchObject({ available: "10.00", held: "0.00" });
  });

  test("what one line is refused with does not undo the others, and a repeat is answered the same", async () => {
    await deposit("yuri", "100");
    const placed = await place("yuri", THREE);
    const [, [meal] = []] = pick(placed.body, "reservationId");
    const racing = apiWith({
      async confirmReservation(reservationId, input) {
        if (reservationId === meal) await api.call("POST", `/api/v1/reservations/${meal}/release`);
        return workflows.starters.confirmReservation(reservationId, input);
      },
    });
    for (const by of [racing, api]) {
      const answer = await act("confirm", "yuri", {}, "yuri-1", by);
      expect(codeOf(answer)).toEqual([409, "ALREADY_RELEASED"]);
      expect(answer.body["detail"]).toContain("2 of 3 lines");
      expect(
        linesOf(answer.body)
          .map(({ serviceId, outcome, code }) => [serviceId, outcome, code])
          .toSorted(),
      ).toEqual([
        ["bag", "done", undefined],
        ["meal", "refused", "ALREADY_RELEASED"],
        ["seat", "done", undefined],
      ]);
    }
    expect(await balance("yuri")).toMatchObject({ available: "40.00", held: "0.00" });
  });

  test("one that can go through later decides the answer: the same request goes on, and then the refusal is told", async () => {
    await deposit("yara", "100");
    const placed = await place("yara", THREE);
    const [[seat] = [], [meal] = []] = pick(placed.body, "reservationId");
    const racing = apiWith({
      async confirmReservation(reservationId, input) {
        if (reservationId === seat) await api.call("POST", `/api/v1/reservations/${seat}/release`);
        if (reservationId === meal) throw new DomainError("UNAVAILABLE");
        return workflows.starters.confirmReservation(reservationId, input);
      },
    });
    expect(codeOf(await act("confirm", "yara", {}, "yara-1", racing))).toEqual([503, "UNAVAILABLE"]);
    expect(codeOf(await act("confirm", "yara", {}, "yara-1"))).toEqual([409, "ALREADY_RELEASED"]);
    expect(await balance("yara")).toMatchObject({ available: "50.00", held: "0.00" });
  });

  test("a repeat is not about what was reserved since the request was begun", async () => {
    await deposit("zoe", "200");
    await place("zoe", THREE);
    const stopping = apiWith({
      async releaseReservation(reservationId, input) {
        const { body } = await api.call("GET", `/api/v1/reservations/${reservationId}`);
        if (body["serviceId"] === "meal") throw new DomainError("UNAVAILABLE");
        return workflows.starters.releaseReservation(reservationId, input);
      },
    });
    expect(codeOf(await act("release", "zoe", {}, "zoe-1", stopping))).toEqual([503, "UNAVAILABLE"]);
    expect(await heldOf("zoe")).toBe(1);
    await place("zoe", [line("seat", "5")]);
    const rest = await act("release", "zoe", {}, "zoe-1");
    expect([rest.status, pick(rest.body, "outcome").flat()]).toEqual([200, ["done", "done", "done", undefined]]);
    expect(await balance("zoe")).toMatchObject({ available: "195.00", held: "5.00" });
  });

  test("a key that was used for one line, for another order or in another currency is refused", async () => {
    await deposit("abel", "100");
    await deposit("adam", "100");
    await place("abel", THREE);
    await place("adam", THREE);
    expect((await act("confirm", "abel", { serviceId: "seat" }, "abel-1")).status).toBe(200);
    expect(codeOf(await act("confirm", "abel", {}, "abel-1"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect((await act("release", "abel", {}, "abel-2")).status).toBe(200);
    expect(codeOf(await act("release", "abel", { serviceId: "meal" }, "abel-2"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect(codeOf(await act("release", "adam", {}, "abel-2"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect(codeOf(await act("release", "abel", { currency: "RUB" }, "abel-2"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect(await balance("abel")).toMatchObject({ available: "60.00", held: "0.00" });
    expect(await balance("adam")).toMatchObject({ available: "10.00", held: "90.00" });
  });

  test("with a currency only those in it are meant, and the sums are by currency", async () => {
    await deposit("otto", "100");
    await api.call("POST", "/api/v1/balances/otto/deposits", { body: { amount: "10", currency: "EUR" } });
    await place("otto", [line("seat", "40")]);
    await api.call("POST", "/api/v1/reservations/lines", {
      body: { userId: "otto", orderId: "order-of-otto", currency: "EUR", lines: [line("meal", "7")] },
    });
    expect(totalsOf((await act("confirm", "otto", { currency: "EUR" })).body)).toMatchObject([{ currency: "EUR", confirmed: "7.00" }]);
    expect(totalsOf((await act("release", "otto")).body)).toMatchObject([
      { currency: "RUB", released: "40.00" },
      { currency: "EUR", confirmed: "7.00", released: "0.00" },
    ]);
  });

  test("an amount is not taken without a service", async () => {
    expect((await act("confirm", "vera", { amount: "1" })).body).toMatchObject({
      code: "INVALID_REQUEST",
      errors: [{ pointer: "/amount" }],
    });
    expect((await act("release", "vera", { amount: "1" })).body).toMatchObject({
      code: "INVALID_REQUEST",
      errors: [{ pointer: "/amount" }],
    });
  });
});

describe("other users", () => {
  test("with an order of the same id keep theirs, and users may neither place, confirm nor release", async () => {
    const asUser = createTestApi({
      databaseUrl: database.appUrl,
      starters: workflows.starters,
      authenticator: { authenticate: async () => ({ subject: "eve", roles: ["user" satisfies Role] }) },
    });
    opened.push(asUser);
    for (const user of ["eve", "ada"]) {
      await deposit(user, "100");
      await api.call("POST", "/api/v1/reservations/lines", { body: { userId: user, orderId: "shared", lines: THREE } });
    }
    for (const [path, body] of [
      ["lines", { userId: "eve", orderId: "shared", lines: THREE }],
      ["confirm", { userId: "ada", orderId: "shared" }],
      ["release", { userId: "eve", orderId: "shared" }],
    ] as const)
      expect(codeOf(await asUser.call("POST", `/api/v1/reservations/${path}`, { body }))).toEqual([403, "FORBIDDEN"]);
    expect((await asUser.call("GET", "/api/v1/reservations?userId=ada&orderId=shared")).body["reservations"]).toEqual([]);
    expect((await asUser.call("GET", "/api/v1/reservations?orderId=shared")).body["reservations"]).toHaveLength(3);
    const { body } = await api.call("POST", "/api/v1/reservations/release", { body: { userId: "eve", orderId: "shared" } });
    expect(linesOf(body)).toHaveLength(3);
    expect(await balance("eve")).toMatchObject({ available: "100.00", held: "0.00" });
    expect(await balance("ada")).toMatchObject({ available: "10.00", held: "90.00" });
  });
});
