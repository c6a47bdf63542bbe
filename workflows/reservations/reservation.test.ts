import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { WithStartWorkflowOperation, WorkflowUpdateFailedError, type WorkflowHandle, type WorkflowStartOptions } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import {
  advanceReservationClockUpdate,
  confirmReservationUpdate,
  extendReservationUpdate,
  releaseReservationUpdate,
  reservationPlacedUpdate,
  reservationStatusQuery,
  type ConfirmInput,
  type ReservationInput,
  type ReservationState,
} from "../../src/contract/reservations.ts";
import { deferred } from "../../test/support/deferred.ts";
import { createFakeBook, type Behaviour, type Page, type Script } from "../../test/support/fake-book.ts";
import { startTimeSkipping, untilCancellationIsSeen, type TimeSkipping } from "../../test/support/time-skipping.ts";
import { until } from "../../test/support/until.ts";
import type { ReservationResult } from "./reservation.ts";

const AMOUNT = 10_000n;
const TEN_MINUTES_MS = 600_000;
let skipping: TimeSkipping;

beforeAll(async () => {
  skipping = await startTimeSkipping();
});

afterAll(() => skipping.close());

const repeat = (behaviour: Behaviour, times: number): Behaviour[] => Array.from({ length: times }, () => behaviour);

/** The code that an update was refused with. */
async function refusalOf(update: Promise<unknown>): Promise<string | null | undefined> {
  const error: unknown = await update.then(
    () => new Error("the update was not refused"),
    (reason: unknown) => reason,
  );
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) return error.cause.type;
  throw error;
}

/** Nothing stays held, nothing is lost, and the row says the same as the workflow. */
function expectDefiniteEnd(page: Page, result: ReservationResult, expected: { status: string; capturedMinor: bigint }): void {
  expect(page.heldMinor).toBe(0n);
  expect(page.revenueMinor).toBe(expected.capturedMinor);
  expect(page.availableMinor).toBe(AMOUNT - expected.capturedMinor);
  expect(page.hold?.status).toBe(expected.status);
  expect(result).toMatchObject({
    status: expected.status,
    amountMinor: AMOUNT.toString(),
    capturedMinor: expected.capturedMinor.toString(),
    releasedMinor: (AMOUNT - expected.capturedMinor).toString(),
  });
}

describe.each([{ cacheSize: 100 }, { cacheSize: 0 }])("a reservation with $cacheSize workflows kept in memory", ({ cacheSize }) => {
  const taskQueue = `reservations-${cacheSize}`;
  const book = createFakeBook();
  let stopWorker: () => Promise<void>;

  beforeAll(async () => {
    stopWorker = await skipping.startWorker({ taskQueue, cacheSize, book });
  });
  afterAll(() => stopWorker());

  const newReservation = (): ReservationInput => ({
    reservationId: randomUUID(),
    userId: "ann",
    serviceId: "cleaning",
    orderId: "order-1",
    currency: "RUB",
    amountMinor: AMOUNT.toString(),
    ttlMs: TEN_MINUTES_MS,
    comment: "test",
    requestHash: "hash",
    correlationId: "test",
    caller: "test",
  });
  const start = (
    reservation: ReservationInput,
    options: Pick<WorkflowStartOptions, "startDelay" | "workflowTaskTimeout"> = {},
  ): Promise<WorkflowHandle> =>
    skipping.env.client.workflow.start("reservation", {
      ...options,
      workflowId: reservationWorkflowId(reservation.reservationId),
      taskQueue,
      args: [reservation],
    });
  /** Starts a reservation and waits until its money is held. */
  const place = async (script: Script = {}, more: Partial<ReservationInput> = {}) => {
    const reservation = { ...newReservation(), ...more };
    const page = book.open(reservation.reservationId, { fundsMinor: AMOUNT, script });
    const handle = await start(reservation);
    const placed = await handle.executeUpdate(reservationPlacedUpdate);
    return { page, handle, placed };
  };
  const by = { caller: "test", correlationId: "test" };
  /** Asks to hold the money for `ttlMs` from now on. */
  const extend = async (handle: WorkflowHandle, requestKey: string, ttlMs: number): Promise<ReservationState> => {
    const expiresAt = new Date((await skipping.env.currentTimeMs()) + ttlMs).toISOString();
    return handle.executeUpdate(extendReservationUpdate, { args: [{ requestKey, ttlMs, expiresAt, ...by }] });
  };
  const confirm = (handle: WorkflowHandle, input: ConfirmInput): Promise<ReservationState> =>
    handle.executeUpdate(confirmReservationUpdate, { args: [input] });
  // The wait for the result makes the server skip time.
  const resultOf = async (handle: WorkflowHandle) => (await handle.result()) as ReservationResult;

  it("holds the money and is confirmed as a whole long before its end", async () => {
    const { page, handle, placed } = await place();
    expect(placed).toMatchObject({ status: "held", amountMinor: "10000", capturedMinor: "0" });
    expect(page.heldMinor).toBe(AMOUNT);
    expect(await confirm(handle, { requestKey: "all" })).toMatchObject({ status: "confirmed", capturedMinor: "10000" });
    expectDefiniteEnd(page, await resultOf(handle), { status: "confirmed", capturedMinor: AMOUNT });
    expect(page.calls.endHold ?? 0).toBe(0);
  });

  it("gives back by itself when its time has passed, not before", async () => {
    const { page, handle, placed } = await place();
    const beforeMs = await skipping.env.currentTimeMs();
    expectDefiniteEnd(page, await resultOf(handle), { status: "expired", capturedMinor: 0n });
    expect(page.effects).toEqual(["placeHold", "expire"]);
    const endedMs = await skipping.env.currentTimeMs();
    expect(endedMs).toBeGreaterThanOrEqual(Date.parse(placed.expiresAt));
    expect(endedMs - beforeMs).toBeLessThan(TEN_MINUTES_MS + 60_000);
  });

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

  it("takes over the end of a hold that stood when it was started again", async () => {
    const { page, handle, placed } = await place();
    await handle.terminate("a test");
    const again = await start({ ...newReservation(), reservationId: placed.reservationId, ttlMs: 1 });
    expect(await again.executeUpdate(reservationPlacedUpdate)).toMatchObject({ status: "held", expiresAt: placed.expiresAt });
    expectDefiniteEnd(page, await resultOf(again), { status: "expired", capturedMinor: 0n });
    expect(await skipping.env.currentTimeMs()).toBeGreaterThanOrEqual(Date.parse(placed.expiresAt));
    expect(page.effects).toEqual(["placeHold", "expire"]);
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
