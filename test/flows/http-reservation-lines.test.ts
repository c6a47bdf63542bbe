import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DomainError } from "../../src/base/errors.ts";
import { line, linesOf, openLineShop, pick, THREE, totalsOf, type LineShop } from "../support/line-shop.ts";
import { codeOf } from "../support/reservation-client.ts";
import { until } from "../support/until.ts";

let shop: LineShop;
beforeAll(async () => {
  shop = await openLineShop();
});
afterAll(() => shop.close());

describe("several lines placed together", () => {
  test("are held each by a reservation of its own, with one end, and told by line and in sum", async () => {
    await shop.deposit("lea", "100");
    const { status, body } = await shop.place("lea", THREE);
    expect(status).toBe(201);
    expect(pick(body, "serviceId", "status", "held")).toEqual([
      ["seat", "held", "40.00"],
      ["meal", "held", "30.00"],
      ["bag", "held", "20.00"],
    ]);
    expect(totalsOf(body)).toEqual([{ currency: "RUB", amount: "90.00", confirmed: "0.00", released: "0.00", held: "90.00" }]);
    expect(new Set(linesOf(body).map(({ expiresAt }) => expiresAt)).size).toBe(1);
    const ids = (await shop.listed("lea")).map(({ reservationId }) => reservationId);
    expect(ids.toSorted()).toEqual(pick(body, "reservationId").flat().toSorted());
    expect(await shop.balance("lea")).toMatchObject({ available: "10.00", held: "90.00" });
  });

  test("are not held at all where the balance covers some of them only, and the sum is told", async () => {
    await shop.deposit("max", "75");
    const refused = await shop.place("max", THREE, "max-1");
    expect(codeOf(refused)).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(refused.body["detail"]).toContain("90.00 RUB together, and 75.00 RUB");
    expect(await shop.listed("max")).toEqual([]);
    expect(await shop.balance("max")).toMatchObject({ available: "75.00", held: "0.00" });
    await shop.deposit("max", "15");
    expect((await shop.place("max", THREE, "max-1")).status).toBe(201);
  });

  test("are given back when a later line is refused since the money was spent meanwhile, and a repeat learns the same", async () => {
    await shop.deposit("nik", "90");
    let placed = 0;
    const spending = shop.apiWith({
      async placeReservation(input) {
        placed += 1;
        if (placed === 2) await shop.api.call("POST", "/api/v1/balances/nik/withdrawals", { body: { amount: "45" } });
        return shop.workflows.starters.placeReservation(input);
      },
    });
    const refused = await shop.place("nik", THREE, "nik-1", spending);
    expect(codeOf(refused)).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(refused.body["errors"]).toMatchObject([{ pointer: expect.stringMatching(/^\/lines\/[12]$/) }]);
    expect(await shop.balance("nik")).toMatchObject({ available: "45.00", held: "0.00" });
    expect((await shop.listed("nik")).length).toBeGreaterThan(0);
    await shop.deposit("nik", "500");
    expect(codeOf(await shop.place("nik", THREE, "nik-1"))).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(await shop.balance("nik")).toMatchObject({ available: "545.00", held: "0.00" });
  });

  test("of two requests at once for the same money neither keeps a part", async () => {
    await shop.deposit("pia", "100");
    let firstLines = 0;
    let meet: () => void = () => undefined;
    const met = new Promise<void>((resolve) => {
      meet = resolve;
    });
    // Both first lines are held before either request goes on: each request has half of the money.
    const meeting = shop.apiWith({
      async placeReservation(input) {
        const state = await shop.workflows.starters.placeReservation(input);
        if (input.serviceId === "seat" && (firstLines += 1) === 2) meet();
        await met;
        return state;
      },
    });
    const halves = [line("seat", "50"), line("meal", "50")];
    const answers = await Promise.all(["pia-1", "pia-2"].map((key) => shop.place("pia", halves, key, meeting)));
    expect(answers.map(codeOf)).toEqual([
      [422, "INSUFFICIENT_FUNDS"],
      [422, "INSUFFICIENT_FUNDS"],
    ]);
    expect(await shop.balance("pia")).toMatchObject({ available: "100.00", held: "0.00" });
    const many = await Promise.all(Array.from({ length: 6 }, () => shop.place("pia", halves)));
    const held = many.filter(({ status }) => status === 201).length;
    expect(held).toBeLessThanOrEqual(1);
    expect(await shop.balance("pia")).toMatchObject({ held: held === 1 ? "100.00" : "0.00" });
  });

  test("are the same under the same key, and other content under it is refused and gives nothing back", async () => {
    await shop.deposit("rosa", "200");
    const first = await shop.place("rosa", THREE, "rosa-1");
    const again = await shop.place("rosa", THREE, "rosa-1");
    expect([again.status, again.body, again.headers.get("idempotency-replayed")]).toEqual([201, first.body, "true"]);
    for (const lines of [THREE.slice(0, 1), [...THREE, line("seat", "1")], [line("seat", "41"), ...THREE.slice(1)], THREE.toReversed()])
      expect(codeOf(await shop.place("rosa", lines, "rosa-1"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    expect(await shop.balance("rosa")).toMatchObject({ available: "110.00", held: "90.00" });
    expect(await shop.heldOf("rosa")).toBe(3);
  });

  const stoppingAt = (serviceId: string) =>
    shop.apiWith({
      placeReservation: (input) =>
        input.serviceId === serviceId ? Promise.reject(new DomainError("UNAVAILABLE")) : shop.workflows.starters.placeReservation(input),
    });

  test("go on under the same key where a request stopped, with the same end", async () => {
    await shop.deposit("sam", "90");
    expect(codeOf(await shop.place("sam", THREE, "sam-1", stoppingAt("meal")))).toEqual([503, "UNAVAILABLE"]);
    const before = await shop.listed("sam");
    expect(before.some(({ serviceId }) => serviceId === "seat")).toBe(true);
    expect(codeOf(await shop.place("sam", THREE.slice(0, 2), "sam-1"))).toEqual([422, "IDEMPOTENCY_CONFLICT"]);
    const { status, body } = await shop.place("sam", THREE, "sam-1");
    expect([status, pick(body, "status").flat()]).toEqual([201, ["held", "held", "held"]]);
    const after = pick(body, "reservationId").flat();
    for (const { reservationId } of before) expect(after).toContain(reservationId);
    expect(new Set(linesOf(body).map(({ expiresAt }) => expiresAt)).size).toBe(1);
    expect(await shop.balance("sam")).toMatchObject({ available: "0.00", held: "90.00" });
  });

  test("do not go on once a line of the unfinished request is not held any more: all or none", async () => {
    await shop.deposit("tom", "90");
    expect((await shop.place("tom", THREE, "tom-1", stoppingAt("bag"))).status).toBe(503);
    const seat = (await shop.listed("tom")).find(({ serviceId }) => serviceId === "seat");
    await shop.api.call("POST", `/api/v1/reservations/${String(seat?.reservationId)}/release`);
    for (let time = 0; time < 2; time += 1) expect(codeOf(await shop.place("tom", THREE, "tom-1"))).toEqual([409, "ALREADY_RELEASED"]);
    expect(await shop.balance("tom")).toMatchObject({ available: "90.00", held: "0.00" });
  });

  test("after the first are not begun before the first is decided, which stands for the key", async () => {
    await shop.deposit("theo", "90");
    expect((await shop.place("theo", THREE, "theo-1", stoppingAt("seat"))).status).toBe(503);
    expect(await shop.listed("theo")).toEqual([]);
    expect((await shop.place("theo", THREE, "theo-1")).status).toBe(201);
  });

  test("that could not be given back in an outage are given back by the repeat, which learns the refusal", async () => {
    await shop.deposit("tina", "90");
    let placed = 0;
    const stopping = shop.apiWith({
      async placeReservation(input) {
        placed += 1;
        if (placed === 2) await shop.api.call("POST", "/api/v1/balances/tina/withdrawals", { body: { amount: "45" } });
        return shop.workflows.starters.placeReservation(input);
      },
      releaseReservation: () => Promise.reject(new DomainError("UNAVAILABLE")),
    });
    expect(codeOf(await shop.place("tina", THREE, "tina-1", stopping))).toEqual([503, "UNAVAILABLE"]);
    expect(await shop.heldOf("tina")).toBeGreaterThan(0);
    expect(codeOf(await shop.place("tina", THREE, "tina-1"))).toEqual([422, "INSUFFICIENT_FUNDS"]);
    expect(await shop.balance("tina")).toMatchObject({ available: "45.00", held: "0.00" });
  });

  test("with an unknown service or a bad amount in one line are not held at all, and the line is named", async () => {
    await shop.deposit("uma", "100");
    const ghost = await shop.place("uma", [line("seat", "10"), line("ghost", "10")]);
    expect(ghost.body).toMatchObject({ code: "UNKNOWN_SERVICE", errors: [{ pointer: "/lines/1/serviceId" }] });
    const bad = await shop.place("uma", [line("seat", "10"), line("meal", "1.001")]);
    expect(bad.body).toMatchObject({ code: "INVALID_AMOUNT", errors: [{ pointer: "/lines/1/amount" }] });
    for (const lines of [[], Array.from({ length: 101 }, () => line("seat", "0.01"))])
      expect((await shop.place("uma", lines)).body).toMatchObject({ code: "INVALID_REQUEST", errors: [{ pointer: "/lines" }] });
    expect(await shop.listed("uma")).toEqual([]);
    expect(await shop.balance("uma")).toMatchObject({ available: "100.00", held: "0.00" });
  });

  test("that were held are given back when a service of the missing ones is not sold any more", async () => {
    await shop.api.call("POST", "/api/v1/services", { body: { id: "fading", name: "fading" } });
    await shop.deposit("udo", "100");
    const lines = [line("seat", "10"), line("fading", "10")];
    expect((await shop.place("udo", lines, "udo-1", stoppingAt("fading"))).status).toBe(503);
    expect(await shop.balance("udo")).toMatchObject({ held: "10.00" });
    await shop.api.call("DELETE", "/api/v1/services/fading");
    expect(codeOf(await shop.place("udo", lines, "udo-1"))).toEqual([422, "UNKNOWN_SERVICE"]);
    expect(await shop.balance("udo")).toMatchObject({ available: "100.00", held: "0.00" });
  });

  test("a hundred lines are taken", async () => {
    await shop.deposit("hundred", "1");
    const lines = Array.from({ length: 100 }, () => line("seat", "0.01"));
    // On a busy machine they may take longer than a request may: the same request goes on.
    await until("all are held", async () => (await shop.place("hundred", lines, "hundred-1")).status === 201, 100_000);
    expect(await shop.balance("hundred")).toMatchObject({ available: "0.00", held: "1.00" });
  });
});
