import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DomainError } from "../../src/base/errors.ts";
import { beginPause, endPause } from "../../src/store/operators/pauses.ts";
import { createTestApi } from "../support/http-api.ts";
import { line, linesOf, openLineShop, pick, pickSorted, THREE, totalsOf, type LineShop } from "../support/line-shop.ts";
import { codeOf } from "../support/reservation-client.ts";

let shop: LineShop;
beforeAll(async () => {
  shop = await openLineShop();
});
afterAll(() => shop.close());

describe("all lines of an order", () => {
  test("are released but for the one that was confirmed, and the answer tells each", async () => {
    await shop.deposit("vera", "100");
    const placed = await shop.place("vera", THREE);
    const [[seat] = []] = pick(placed.body, "reservationId");
    expect((await shop.api.call("POST", `/api/v1/reservations/${seat}/confirm`)).status).toBe(200);
    const { status, body } = await shop.act("release", "vera");
    expect(status).toBe(200);
    expect(pickSorted(body, "serviceId", "status", "outcome")).toEqual([
      ["bag", "released", "done"],
      ["meal", "released", "done"],
      ["seat", "confirmed", undefined],
    ]);
    expect(totalsOf(body)).toEqual([{ currency: "RUB", amount: "90.00", confirmed: "40.00", released: "50.00", held: "0.00" }]);
    expect(await shop.balance("vera")).toMatchObject({ available: "60.00", held: "0.00" });
  });

  test("are confirmed once: a repeat is the same, and another request is told so", async () => {
    await shop.deposit("willi", "100");
    await shop.place("willi", THREE);
    const first = await shop.act("confirm", "willi", {}, "willi-1");
    expect([first.status, totalsOf(first.body)]).toEqual([200, [expect.objectContaining({ confirmed: "90.00", held: "0.00" })]]);
    const again = await shop.act("confirm", "willi", {}, "willi-1");
    expect([again.status, again.body, again.headers.get("idempotency-replayed")]).toEqual([200, first.body, "true"]);
    expect(codeOf(await shop.act("confirm", "willi"))).toEqual([409, "ALREADY_CONFIRMED"]);
    expect(codeOf(await shop.act("release", "willi"))).toEqual([409, "ALREADY_CONFIRMED"]);
    expect(await shop.balance("willi")).toMatchObject({ available: "10.00", held: "0.00" });
    expect(codeOf(await shop.act("confirm", "nobody"))).toEqual([404, "RESERVATION_NOT_FOUND"]);
  });

  test("are confirmed as far as they can be: a paused one is undecided, and the same request goes on with it", async () => {
    await shop.deposit("xenia", "100");
    await shop.place("xenia", THREE);
    const target = { scope: "service", subject: "meal" } as const;
    await beginPause(shop.api.db, { ...target, reason: "a test", pausedBy: "test" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const partly = await shop.act("confirm", "xenia", {}, "xenia-1");
    await endPause(shop.api.db, target);
    expect([...codeOf(partly), partly.headers.get("retry-after")]).toEqual([503, "PAUSED", expect.stringMatching(/^\d+$/)]);
    expect(pickSorted(partly.body, "serviceId", "outcome", "code")).toEqual([
      ["bag", "done", undefined],
      ["meal", "undecided", "PAUSED"],
      ["seat", "done", undefined],
    ]);
    expect(totalsOf(partly.body)).toMatchObject([{ confirmed: "60.00", held: "30.00" }]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const rest = await shop.act("confirm", "xenia", {}, "xenia-1");
    expect([rest.status, pick(rest.body, "outcome").flat()]).toEqual([200, ["done", "done", "done"]]);
    expect(await shop.balance("xenia")).toMatchObject({ available: "10.00", held: "0.00" });
  });

  test("what one line is refused with does not undo the others, and a repeat is answered the same", async () => {
    await shop.deposit("yuri", "100");
    const placed = await shop.place("yuri", THREE);
    const [, [meal] = []] = pick(placed.body, "reservationId");
    const racing = shop.apiWith({
      async confirmReservation(reservationId, input) {
        if (reservationId === meal) {
          await shop.api.call("POST", `/api/v1/reservations/${meal}/release`);
          // As a workflow does that is just closing: the ledger hears nothing of it.
          throw new DomainError("ALREADY_RELEASED");
        }
        return shop.workflows.starters.confirmReservation(reservationId, input);
      },
    });
    for (const by of [racing, shop.api]) {
      const answer = await shop.act("confirm", "yuri", {}, "yuri-1", by);
      expect(codeOf(answer)).toEqual([409, "ALREADY_RELEASED"]);
      expect(answer.body["detail"]).toContain("2 of 3 lines");
      expect(pickSorted(answer.body, "serviceId", "outcome", "code")).toEqual([
        ["bag", "done", undefined],
        ["meal", "refused", "ALREADY_RELEASED"],
        ["seat", "done", undefined],
      ]);
    }
    expect(await shop.balance("yuri")).toMatchObject({ available: "40.00", held: "0.00" });
  });

  test("one that can go through later decides the answer: the same request goes on, and then the refusal is told", async () => {
    await shop.deposit("yara", "100");
    const placed = await shop.place("yara", THREE);
    const [[seat] = [], [meal] = []] = pick(placed.body, "reservationId");
    const racing = shop.apiWith({
      async confirmReservation(reservationId, input) {
        if (reservationId === seat) await shop.api.call("POST", `/api/v1/reservations/${seat}/release`);
        if (reservationId === meal) throw new DomainError("UNAVAILABLE");
        return shop.workflows.starters.confirmReservation(reservationId, input);
      },
    });
    expect(codeOf(await shop.act("confirm", "yara", {}, "yara-1", racing))).toEqual([503, "UNAVAILABLE"]);
    expect(codeOf(await shop.act("confirm", "yara", {}, "yara-1"))).toEqual([409, "ALREADY_RELEASED"]);
    expect(await shop.balance("yara")).toMatchObject({ available: "50.00", held: "0.00" });
  });

  test("a repeat is not about what was reserved since the request was begun", async () => {
    await shop.deposit("zoe", "200");
    await shop.place("zoe", THREE);
    const stopping = shop.apiWith({
      async releaseReservation(reservationId, input) {
        const { body } = await shop.api.call("GET", `/api/v1/reservations/${reservationId}`);
        if (body["serviceId"] === "meal") throw new DomainError("UNAVAILABLE");
        return shop.workflows.starters.releaseReservation(reservationId, input);
      },
    });
    expect(codeOf(await shop.act("release", "zoe", {}, "zoe-1", stopping))).toEqual([503, "UNAVAILABLE"]);
    expect(await shop.heldOf("zoe")).toBe(1);
    await shop.place("zoe", [line("seat", "5")]);
    const rest = await shop.act("release", "zoe", {}, "zoe-1");
    expect([rest.status, pick(rest.body, "outcome").flat()]).toEqual([200, ["done", "done", "done", undefined]]);
    expect(await shop.balance("zoe")).toMatchObject({ available: "195.00", held: "5.00" });
  });

  test("a key that was used for one line, for another order or in another currency is refused", async () => {
    await shop.deposit("abel", "100");
    await shop.deposit("adam", "100");
    await shop.place("abel", THREE);
    await shop.place("adam", THREE);
    expect((await shop.act("confirm", "abel", { serviceId: "seat" }, "abel-1")).status).toBe(200);
    expect(codeOf(await shop.act("confirm", "abel", {}, "abel-1"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect((await shop.act("release", "abel", {}, "abel-2")).status).toBe(200);
    expect(codeOf(await shop.act("release", "abel", { serviceId: "meal" }, "abel-2"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect(codeOf(await shop.act("release", "adam", {}, "abel-2"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect(codeOf(await shop.act("release", "abel", { currency: "RUB" }, "abel-2"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect(await shop.balance("abel")).toMatchObject({ available: "60.00", held: "0.00" });
    expect(await shop.balance("adam")).toMatchObject({ available: "10.00", held: "90.00" });
  });

  test("with a currency only those in it are meant, and the sums are by currency", async () => {
    await shop.deposit("otto", "100");
    await shop.api.call("POST", "/api/v1/balances/otto/deposits", { body: { amount: "10", currency: "EUR" } });
    await shop.place("otto", [line("seat", "40")]);
    await shop.api.call("POST", "/api/v1/reservations/lines", {
      body: { userId: "otto", orderId: "order-of-otto", currency: "EUR", lines: [line("meal", "7")] },
    });
    expect(totalsOf((await shop.act("confirm", "otto", { currency: "EUR" })).body)).toMatchObject([{ currency: "EUR", confirmed: "7.00" }]);
    expect(totalsOf((await shop.act("release", "otto")).body)).toMatchObject([
      { currency: "RUB", released: "40.00" },
      { currency: "EUR", confirmed: "7.00", released: "0.00" },
    ]);
  });

  test("an amount is not taken without a service", async () => {
    expect((await shop.act("confirm", "vera", { amount: "1" })).body).toMatchObject({
      code: "INVALID_REQUEST",
      errors: [{ pointer: "/amount" }],
    });
    expect((await shop.act("release", "vera", { amount: "1" })).body).toMatchObject({
      code: "INVALID_REQUEST",
      errors: [{ pointer: "/amount" }],
    });
  });
});

describe("other users", () => {
  test("with an order of the same id keep theirs, and users may neither place, confirm nor release", async () => {
    const asUser = createTestApi({
      databaseUrl: shop.database.appUrl,
      starters: shop.workflows.starters,
      authenticator: { authenticate: async () => ({ subject: "eve", roles: ["user"] }) },
    });
    for (const user of ["eve", "ada"]) {
      await shop.deposit(user, "100");
      await shop.api.call("POST", "/api/v1/reservations/lines", { body: { userId: user, orderId: "shared", lines: THREE } });
    }
    for (const [path, body] of [
      ["lines", { userId: "eve", orderId: "shared", lines: THREE }],
      ["confirm", { userId: "ada", orderId: "shared" }],
      ["release", { userId: "eve", orderId: "shared" }],
    ] as const)
      expect(codeOf(await asUser.call("POST", `/api/v1/reservations/${path}`, { body }))).toEqual([403, "FORBIDDEN"]);
    expect((await asUser.call("GET", "/api/v1/reservations?userId=ada&orderId=shared")).body["reservations"]).toEqual([]);
    expect((await asUser.call("GET", "/api/v1/reservations?orderId=shared")).body["reservations"]).toHaveLength(3);
    await asUser.close();
    const { body } = await shop.api.call("POST", "/api/v1/reservations/release", { body: { userId: "eve", orderId: "shared" } });
    expect(linesOf(body)).toHaveLength(3);
    expect(await shop.balance("eve")).toMatchObject({ available: "100.00", held: "0.00" });
    expect(await shop.balance("ada")).toMatchObject({ available: "10.00", held: "90.00" });
  });
});
