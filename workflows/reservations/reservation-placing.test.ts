import { setTimeout as sleep } from "node:timers/promises";
import { WithStartWorkflowOperation } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import {
  confirmReservationUpdate,
  releaseReservationUpdate,
  reservationPlacedUpdate,
  type ConfirmInput,
} from "../../src/contract/reservations.ts";
import { deferred } from "../../test/support/deferred.ts";
import { repeat, type Behaviour } from "../../test/support/fake-page.ts";
import { AMOUNT, expectDefiniteEnd, refusalOf, useReservationWorker } from "../../test/support/skipped-reservations.ts";
import { startTimeSkipping, untilCancellationIsSeen, type TimeSkipping } from "../../test/support/time-skipping.ts";

let skipping: TimeSkipping;

beforeAll(async () => {
  skipping = await startTimeSkipping();
});

afterAll(() => skipping.close());

describe.each([{ cacheSize: 100 }, { cacheSize: 0 }])("a reservation with $cacheSize workflows kept in memory", ({ cacheSize }) => {
  const { book, taskQueue, newReservation, start, place, by, confirm, resultOf } = useReservationWorker(cacheSize, () => skipping);

  it("holds the money and is confirmed as a whole long before its end", async () => {
    const { page, handle, placed } = await place();
    expect(placed).toMatchObject({ status: "held", amountMinor: "10000", capturedMinor: "0" });
    expect(page.heldMinor).toBe(AMOUNT);
    expect(await confirm(handle, { requestKey: "all" })).toMatchObject({ status: "confirmed", capturedMinor: "10000" });
    expectDefiniteEnd(page, await resultOf(handle), { status: "confirmed", capturedMinor: AMOUNT });
    expect(page.calls.endHold ?? 0).toBe(0);
  });

  it("gives back when it is cancelled natively", async () => {
    const { page, handle } = await place();
    await handle.cancel();
    expectDefiniteEnd(page, await resultOf(handle), { status: "released", capturedMinor: 0n });
    expect(page.effects).toEqual(["placeHold", "release"]);
  });

  it("holds nothing in the end when it was cancelled before its first step", async () => {
    const reservation = newReservation();
    const page = book.open(reservation.reservationId, { fundsMinor: AMOUNT });
    const handle = await start(reservation, { startDelay: "1 second" });
    await handle.cancel();
    const result = await resultOf(handle);
    expect(["released", "refused"]).toContain(result.status);
    expect(page.heldMinor).toBe(0n);
    expect(page.availableMinor).toBe(AMOUNT);
  });

  it("holds nothing in the end when it was cancelled while the hold was under way", async () => {
    const reservation = newReservation();
    const held = deferred();
    const inTheMiddle: Behaviour = async (effect) => {
      const workflow = await handle;
      await workflow.cancel();
      await untilCancellationIsSeen(workflow);
      await sleep(300);
      effect();
      held.resolve();
    };
    const page = book.open(reservation.reservationId, { fundsMinor: AMOUNT, script: { placeHold: [inTheMiddle] } });
    const handle = start(reservation, { workflowTaskTimeout: "3 seconds" });
    await held.promise;
    expectDefiniteEnd(page, await resultOf(await handle), { status: "released", capturedMinor: 0n });
  });

  it("is refused without the funds, and says so to who placed it", async () => {
    const reservation = newReservation();
    const page = book.open(reservation.reservationId, { fundsMinor: AMOUNT - 1n });
    const handle = await start(reservation);
    expect(await refusalOf(handle.executeUpdate(reservationPlacedUpdate))).toBe("INSUFFICIENT_FUNDS");
    expect(await resultOf(handle)).toEqual({ reservationId: reservation.reservationId, status: "refused", code: "INSUFFICIENT_FUNDS" });
    expect(page.availableMinor).toBe(AMOUNT - 1n);
  });

  it("tells who placed it of the refusal also when it was cancelled meanwhile", async () => {
    const reservation = newReservation();
    const asked = deferred();
    const cancelled = deferred();
    const waits: Behaviour = async () => {
      asked.resolve();
      await cancelled.promise;
    };
    book.open(reservation.reservationId, { fundsMinor: AMOUNT - 1n, script: { placeHold: [...repeat("away", 4), waits] } });
    const handle = await start(reservation);
    const placing = refusalOf(handle.executeUpdate(reservationPlacedUpdate));
    await asked.promise;
    await handle.cancel();
    cancelled.resolve();
    expect(await placing).toBe("INSUFFICIENT_FUNDS");
    expect(await resultOf(handle)).toMatchObject({ status: "refused", code: "INSUFFICIENT_FUNDS" });
  });

  it("refuses a confirmation that comes with the reservation itself when there are no funds", async () => {
    const reservation = newReservation();
    book.open(reservation.reservationId, { fundsMinor: 0n });
    const startWorkflowOperation = new WithStartWorkflowOperation("reservation", {
      workflowId: reservationWorkflowId(reservation.reservationId),
      taskQueue,
      args: [reservation],
      workflowIdConflictPolicy: "FAIL",
    });
    const update = skipping.env.client.workflow.executeUpdateWithStart(confirmReservationUpdate, {
      startWorkflowOperation,
      args: [{ requestKey: "k" }],
    });
    expect(await refusalOf(update)).toBe("INSUFFICIENT_FUNDS");
  });

  it("does not take a request without its key", async () => {
    const { page, handle } = await place();
    for (const args of [[{ requestKey: "" }], [undefined]] as unknown as [ConfirmInput][]) {
      expect(await refusalOf(handle.executeUpdate(confirmReservationUpdate, { args }))).toBe("INVALID_REQUEST");
      expect(await refusalOf(handle.executeUpdate(releaseReservationUpdate, { args }))).toBe("INVALID_REQUEST");
    }
    expect(page.calls.captureHold ?? 0).toBe(0);
    await resultOf(handle);
  });

  it("refuses what was sent by hand and cannot be read, and nothing of it stays", async () => {
    const { page, handle, placed } = await place();
    const extension = { requestKey: "by hand", ttlMs: 1_000, expiresAt: placed.expiresAt, ...by };
    const advance = { requestKey: "by hand", advanceMs: 1_000, ...by };
    const garbage: readonly (readonly [string, unknown])[] = [
      ...[5, "abc", null, [], { requestKey: 5 }].flatMap((given) =>
        ["confirm", "release", "extend", "advanceClock"].map((update) => [update, given] as const),
      ),
      ...[{ caller: undefined }, { correlationId: 5 }].flatMap((wrong) => [
        ["extend", { ...extension, ...wrong }] as const,
        ["advanceClock", { ...advance, ...wrong }] as const,
      ]),
      ...[5, "5", "never", "+012345-01-01T00:00:00Z", "9999-01-01T00:00:00Z", null].map(
        (expiresAt) => ["extend", { ...extension, expiresAt }] as const,
      ),
      ["extend", { ...extension, ttlMs: "abc" }],
      ...[1e300, -1, 0, 0.5, "5", null].map((advanceMs) => ["advanceClock", { ...advance, advanceMs }] as const),
    ];
    for (const [update, given] of garbage)
      expect(await refusalOf(handle.executeUpdate(update, { args: [given] })), `${update} ${JSON.stringify(given)}`).toBe(
        "INVALID_REQUEST",
      );
    for (const amountMinor of [5, "1e3", null])
      expect(await refusalOf(handle.executeUpdate("confirm", { args: [{ requestKey: "by hand", amountMinor }] }))).toBe("INVALID_AMOUNT");
    const { events } = await handle.fetchHistory();
    const accepted = events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes) ?? [];
    expect(accepted.map((event) => event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input?.name)).toEqual(["placed"]);
    expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
  });

  it("ends when it is told to, not its time after its own start", async () => {
    const expiresAt = new Date((await skipping.env.currentTimeMs()) + 3_600_000).toISOString();
    const { page, handle, placed } = await place({}, { ttlMs: 60_000, expiresAt });
    expect(placed.expiresAt).toBe(expiresAt);
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
    expect(await skipping.env.currentTimeMs()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  });

  it("takes over the end of a hold that stood when it was started again", async () => {
    const { page, handle, placed } = await place();
    await handle.terminate("a test");
    const again = await start({ ...newReservation(), reservationId: placed.reservationId, ttlMs: 1 });
    expect(await again.executeUpdate(reservationPlacedUpdate)).toMatchObject({ status: "held", expiresAt: placed.expiresAt });
    expectDefiniteEnd(page, await resultOf(again), { status: "expired", capturedMinor: 0n });
    expect(await skipping.env.currentTimeMs()).toBeGreaterThanOrEqual(Date.parse(placed.expiresAt));
    expect(page.effects).toEqual(["placeHold", "expire"]);
  });
});
