import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { confirmReservationUpdate, releaseReservationUpdate, reservationStatusQuery } from "../../src/contract/reservations.ts";
import { deferred } from "../../test/support/deferred.ts";
import { repeat, type Behaviour } from "../../test/support/fake-page.ts";
import { AMOUNT, expectDefiniteEnd, refusalOf, TEN_MINUTES_MS, useReservationWorker } from "../../test/support/skipped-reservations.ts";
import { startTimeSkipping, type TimeSkipping } from "../../test/support/time-skipping.ts";
import { until } from "../../test/support/until.ts";

let skipping: TimeSkipping;

beforeAll(async () => {
  skipping = await startTimeSkipping();
});

afterAll(() => skipping.close());

describe.each([{ cacheSize: 100 }, { cacheSize: 0 }])("a reservation with $cacheSize workflows kept in memory", ({ cacheSize }) => {
  const { book, newReservation, start, place, extend, confirm, resultOf } = useReservationWorker(cacheSize, () => skipping);

  it("keeps what was confirmed in part, and gives back the rest when its time has passed", async () => {
    const { page, handle } = await place();
    expect(await confirm(handle, { requestKey: "part", amountMinor: "4000" })).toMatchObject({ status: "held", capturedMinor: "4000" });
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 4_000n });
  });

  it("ends at once when its last part is confirmed", async () => {
    const { page, handle } = await place();
    await confirm(handle, { requestKey: "first", amountMinor: "4000" });
    expect(await refusalOf(confirm(handle, { requestKey: "too much", amountMinor: "6001" }))).toBe("AMOUNT_EXCEEDS_HOLD");
    expect(await confirm(handle, { requestKey: "second", amountMinor: "6000" })).toMatchObject({ status: "confirmed" });
    expectDefiniteEnd(page, await resultOf(handle), { status: "confirmed", capturedMinor: AMOUNT });
  });

  it("gives back when it is released, and what was confirmed before stays", async () => {
    const { page, handle } = await place();
    await confirm(handle, { requestKey: "part", amountMinor: "4000" });
    const released = await handle.executeUpdate(releaseReservationUpdate, { args: [{ requestKey: "release" }] });
    expect(released).toMatchObject({ status: "released", capturedMinor: "4000", releasedMinor: "6000" });
    expectDefiniteEnd(page, await resultOf(handle), { status: "released", capturedMinor: 4_000n });
  });

  it("lets a confirmation wait that comes before the money is held", async () => {
    const reservation = newReservation();
    const asked = deferred();
    const mended = deferred();
    const waits: Behaviour = async () => {
      asked.resolve();
      await mended.promise;
    };
    const page = book.open(reservation.reservationId, { fundsMinor: AMOUNT, script: { placeHold: [...repeat("away", 4), waits] } });
    const handle = await start(reservation);
    const update = await handle.startUpdate(confirmReservationUpdate, { args: [{ requestKey: "early" }], waitForStage: "ACCEPTED" });
    await asked.promise;
    expect(page.calls.captureHold ?? 0).toBe(0);
    mended.resolve();
    expect(await update.result()).toMatchObject({ status: "confirmed" });
    expectDefiniteEnd(page, await resultOf(handle), { status: "confirmed", capturedMinor: AMOUNT });
  });

  it("refuses a confirmation that comes when the money went back but its end is not told yet", async () => {
    const { page, handle } = await place({ endHold: repeat("lost", 12) });
    await skipping.env.sleep(TEN_MINUTES_MS);
    await until("the money went back", () => page.hold?.status === "expired");
    expect(await refusalOf(confirm(handle, { requestKey: "late" }))).toBe("RESERVATION_EXPIRED");
    expect(await refusalOf(handle.executeUpdate(releaseReservationUpdate, { args: [{ requestKey: "late release" }] }))).toBe(
      "RESERVATION_EXPIRED",
    );
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
  });

  it("takes no confirmation once it has ended", async () => {
    const { page, handle } = await place();
    await resultOf(handle);
    await expect(confirm(handle, { requestKey: "late" })).rejects.toThrow(/not found|completed/i);
    expect(page.revenueMinor).toBe(0n);
  });

  it("asks again for a confirmation whose answers were lost, until it is known; it is captured once", async () => {
    const { page, handle } = await place({ captureHold: repeat("lost", 6) });
    expect(await confirm(handle, { requestKey: "all" })).toMatchObject({ status: "confirmed" });
    expectDefiniteEnd(page, await resultOf(handle), { status: "confirmed", capturedMinor: AMOUNT });
    expect(page.captures).toBe(1);
  });

  it("captures once for the same request key, however often and at once it is asked", async () => {
    const { page, handle } = await place();
    const again = () => confirm(handle, { requestKey: "same", amountMinor: "4000" });
    const answers = [...(await Promise.all([again(), again(), again()])), await again()];
    expect(answers.map(({ capturedMinor }) => capturedMinor)).toEqual(["4000", "4000", "4000", "4000"]);
    expect(page.captures).toBe(1);
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 4_000n });
  });

  it("lets one of many confirmations of the whole win and tells the others", async () => {
    const { page, handle } = await place();
    const answers = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => confirm(handle, { requestKey: `key-${n}` })));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expectDefiniteEnd(page, await resultOf(handle), { status: "confirmed", capturedMinor: AMOUNT });
    expect(page.captures).toBe(1);
  });

  it("does not go back to an older state when the answers of two parts come in the wrong order", async () => {
    const told = deferred();
    const slowly: Behaviour = async (effect) => {
      effect();
      await told.promise;
    };
    const { page, handle } = await place({ captureHold: [...repeat("away", 4), slowly] });
    const first = await handle.startUpdate(confirmReservationUpdate, {
      args: [{ requestKey: "first", amountMinor: "1000" }],
      waitForStage: "ACCEPTED",
    });
    await until("the first part is captured", () => page.captures === 1);
    expect(await confirm(handle, { requestKey: "second", amountMinor: "2000" })).toMatchObject({ capturedMinor: "3000" });
    told.resolve();
    expect(await first.result()).toMatchObject({ capturedMinor: "1000" });
    expect(await handle.query(reservationStatusQuery)).toMatchObject({ capturedMinor: "3000" });
    await handle.executeUpdate(releaseReservationUpdate, { args: [{ requestKey: "release" }] });
    expectDefiniteEnd(page, await resultOf(handle), { status: "released", capturedMinor: 3_000n });
  });

  it("refuses what comes after the last part at once, without a step of its own", async () => {
    const told = deferred();
    const slowly: Behaviour = async (effect) => {
      effect();
      await told.promise;
    };
    const { page, handle } = await place({ captureHold: [...repeat("away", 4), slowly] });
    // The first confirmation is not answered yet, so the workflow stays open when nothing is held any more.
    const first = await handle.startUpdate(confirmReservationUpdate, {
      args: [{ requestKey: "first", amountMinor: "1000" }],
      waitForStage: "ACCEPTED",
    });
    await until("the first part is captured", () => page.captures === 1);
    expect(await confirm(handle, { requestKey: "rest" })).toMatchObject({ status: "confirmed" });
    const before = { ...page.calls };
    const refusals: unknown[] = [];
    for (let n = 0; n < 3; n += 1) refusals.push(await refusalOf(confirm(handle, { requestKey: `late-${n}` })));
    refusals.push(await refusalOf(extend(handle, "late", TEN_MINUTES_MS)));
    const after = { ...page.calls };
    told.resolve();
    expect(refusals).toEqual(Array.from({ length: 4 }, () => "ALREADY_CONFIRMED"));
    expect(after).toEqual(before);
    expect(await first.result()).toMatchObject({ capturedMinor: "1000" });
    expectDefiniteEnd(page, await resultOf(handle), { status: "confirmed", capturedMinor: AMOUNT });
  });
});
