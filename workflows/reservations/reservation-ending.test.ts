import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { advanceReservationClockUpdate, releaseReservationUpdate, reservationStatusQuery } from "../../src/contract/reservations.ts";
import { repeat } from "../../test/support/fake-page.ts";
import { AMOUNT, expectDefiniteEnd, TEN_MINUTES_MS, useReservationWorker } from "../../test/support/skipped-reservations.ts";
import { startTimeSkipping, type TimeSkipping } from "../../test/support/time-skipping.ts";
import { until } from "../../test/support/until.ts";

let skipping: TimeSkipping;

beforeAll(async () => {
  skipping = await startTimeSkipping();
});

afterAll(() => skipping.close());

describe.each([{ cacheSize: 100 }, { cacheSize: 0 }])("a reservation with $cacheSize workflows kept in memory", ({ cacheSize }) => {
  const { book, newReservation, start, place, by, extend, confirm, resultOf } = useReservationWorker(cacheSize, () => skipping);

  it("gives back by itself when its time has passed, not before", async () => {
    const { page, handle, placed } = await place();
    const beforeMs = await skipping.env.currentTimeMs();
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
    expect(page.effects).toEqual(["placeHold", "expire"]);
    const endedMs = await skipping.env.currentTimeMs();
    expect(endedMs).toBeGreaterThanOrEqual(Date.parse(placed.expiresAt));
    expect(endedMs - beforeMs).toBeLessThan(TEN_MINUTES_MS + 60_000);
  });

  it("gives back late rather than never when the store is away at its end", async () => {
    const { page, handle } = await place({ endHold: repeat("away", 6) });
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
    expect(page.calls.endHold).toBe(7);
  });

  it("gives back once when the answers of that are lost", async () => {
    const { page, handle } = await place({ endHold: repeat("lost", 5) });
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
    expect(page.effects).toEqual(["placeHold", "expire"]);
  });

  it("keeps the time of a hold whose answers were lost", async () => {
    const reservation = newReservation();
    const page = book.open(reservation.reservationId, { fundsMinor: AMOUNT, script: { placeHold: repeat("lost", 6) } });
    expectDefiniteEnd(page, await resultOf(await start(reservation)), { status: "expired", capturedMinor: 0n });
    expect(page.effects).toEqual(["placeHold", "expire"]);
  });

  it("tells how many seconds were left at its last event", async () => {
    const { handle } = await place();
    expect(await handle.query(reservationStatusQuery)).toMatchObject({ status: "held", remainingSeconds: 600 });
    await skipping.env.sleep(180_000);
    await confirm(handle, { requestKey: "part", amountMinor: "1" });
    const { remainingSeconds } = await handle.query(reservationStatusQuery);
    expect(remainingSeconds).toBeGreaterThan(400);
    expect(remainingSeconds).toBeLessThanOrEqual(420);
    await handle.executeUpdate(releaseReservationUpdate, { args: [{ requestKey: "release" }] });
    await resultOf(handle);
    expect(await handle.query(reservationStatusQuery)).toMatchObject({ status: "released", remainingSeconds: 0 });
  });

  it("is held longer when it is extended, more than once, and goes back at its new end", async () => {
    const { page, handle, placed } = await place();
    const first = await extend(handle, "first", 2 * TEN_MINUTES_MS);
    expect(Date.parse(first.expiresAt)).toBeGreaterThan(Date.parse(placed.expiresAt) + TEN_MINUTES_MS - 60_000);
    const second = await extend(handle, "second", 3 * TEN_MINUTES_MS);
    expect(await handle.query(reservationStatusQuery)).toMatchObject({ status: "held", expiresAt: second.expiresAt });
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
    expect(await skipping.env.currentTimeMs()).toBeGreaterThanOrEqual(Date.parse(second.expiresAt));
    expect(page.effects).toEqual(["placeHold", "extendHold", "extendHold", "expire"]);
  });

  it("is not held shorter by an extension, and takes none once it is closed", async () => {
    const { page, handle, placed } = await place();
    expect(await extend(handle, "short", 1_000)).toMatchObject({ expiresAt: placed.expiresAt });
    await confirm(handle, { requestKey: "part", amountMinor: "4000" });
    expect(await extend(handle, "long", 2 * TEN_MINUTES_MS)).toMatchObject({ status: "held", capturedMinor: "4000" });
    await handle.executeUpdate(releaseReservationUpdate, { args: [{ requestKey: "release" }] });
    await expect(extend(handle, "late", TEN_MINUTES_MS)).rejects.toThrow(/not found|completed/i);
    expectDefiniteEnd(page, await resultOf(handle), { status: "released", capturedMinor: 4_000n });
  });

  it("keeps the end that its row has when its own clock rings too early", async () => {
    const { page, handle, placed } = await place();
    const later = new Date(Date.parse(placed.expiresAt) + TEN_MINUTES_MS).toISOString();
    if (page.hold !== undefined) page.hold = { ...page.hold, expiresAt: later };
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
    expect(await skipping.env.currentTimeMs()).toBeGreaterThanOrEqual(Date.parse(later));
    expect(page.calls.endHold).toBe(2);
  });

  it("tells once that it is about to expire, and again for the end of an extension", async () => {
    const { page, handle, placed } = await place({}, { expiringMs: 60_000 });
    await skipping.env.sleep(TEN_MINUTES_MS - 30_000);
    await until("it was told", () => page.effects.length === 2);
    const extended = await extend(handle, "more", TEN_MINUTES_MS);
    await resultOf(handle);
    expect(page.effects).toEqual(["placeHold", `expiring ${placed.expiresAt}`, "extendHold", `expiring ${extended.expiresAt}`, "expire"]);
  });

  it.each([{ expiringMs: TEN_MINUTES_MS }, { expiringMs: 0 }, {}])(
    "tells nothing of its end when it is held no longer than %j",
    async (more) => {
      const { page, handle } = await place({}, more);
      await resultOf(handle);
      expect(page.calls.tellHoldExpiring ?? 0).toBe(0);
    },
  );

  it("does not expire while captures are paused, and does so afterwards", async () => {
    const { page, handle, placed } = await place();
    page.paused = true;
    await skipping.env.sleep(TEN_MINUTES_MS + 150_000);
    expect(page.hold?.status).toBe("held");
    expect(Date.parse(page.hold?.expiresAt ?? "")).toBeGreaterThan(Date.parse(placed.expiresAt));
    page.paused = false;
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
    expect(page.effects).toEqual(["placeHold", "expire"]);
  });

  it("comes nearer to its end by the test clock, and expires when that is past", async () => {
    const { page, handle, placed } = await place({}, { expiringMs: 60_000 });
    const advance = (requestKey: string, advanceMs: number) =>
      handle.executeUpdate(advanceReservationClockUpdate, { args: [{ requestKey, advanceMs, ...by }] });
    const nearer = await advance("a", TEN_MINUTES_MS - 30_000);
    expect(Date.parse(nearer.expiresAt)).toBe(Date.parse(placed.expiresAt) - TEN_MINUTES_MS + 30_000);
    await until("it was told", () => page.effects.includes(`expiring ${nearer.expiresAt}`));
    await advance("b", 60_000);
    await until("it expired", () => page.hold?.status === "expired");
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
  });
});
