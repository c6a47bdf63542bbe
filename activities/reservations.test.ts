import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { MockActivityEnvironment } from "@temporalio/testing";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reservationWorkflowId } from "../src/contract/ids.ts";
import type { ReservationInput } from "../src/contract/reservations.ts";
import { depositOperation } from "../src/domain/ledger/wallet-operations.ts";
import { readBalances } from "../src/store/ledger/balances.ts";
import { createLedger, type Ledger } from "../src/store/ledger/ledger.ts";
import { beginPause, endPause } from "../src/store/operators/pauses.ts";
import { createDatabase, type Database } from "../src/store/postgres/database.ts";
import { getHold } from "../src/store/reservations/holds.ts";
import { createTestDatabase, type TestDatabase } from "../test/support/test-database.ts";
import { withFailures } from "./failures.ts";
import { createReservationActivities } from "./reservations.ts";

const EXPIRES_AT = "2030-01-01T00:00:00.000Z";
let testDatabase: TestDatabase;
let database: Database;
let ledger: Ledger;
let activities: ReturnType<typeof createReservationActivities>;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "ledger-activities", laneCount: 4, deadlineMs: 10_000 });
  ledger = createLedger({ url: testDatabase.appUrl, name: "ledger-activities", laneCount: 2, deadlineMs: 10_000 });
  activities = withFailures(createReservationActivities({ db: database.db, ledger }));
});

afterAll(async () => {
  await ledger.close();
  await database.close();
  await testDatabase.drop();
});

/** A reservation of 100.00 with the money for it, and its steps as its own workflow runs them. */
async function newReservation({ fundsMinor = 10_000n } = {}) {
  const reservationId = randomUUID();
  const reservation: ReservationInput = {
    reservationId,
    userId: `user-${reservationId}`,
    serviceId: "cleaning",
    orderId: "order-1",
    currency: "RUB",
    amountMinor: "10000",
    ttlMs: 60_000,
    comment: "test",
    requestHash: "hash",
    correlationId: "test",
    caller: "test",
  };
  const origin = { caller: "test", correlationId: "test" };
  await ledger.post(
    depositOperation({
      key: `fund-${reservationId}`,
      userId: reservation.userId,
      currency: "RUB",
      amountMinor: fundsMinor,
      comment: "test",
      origin,
    }),
  );
  const run = <Input, Result>(activity: (input: Input) => Promise<Result>, input: Input): Promise<Result> =>
    new MockActivityEnvironment({ workflowExecution: { workflowId: reservationWorkflowId(reservationId), runId: "run" } }).run(
      activity,
      input,
    );
  return {
    reservation,
    place: (changes: Partial<ReservationInput> = {}) =>
      run(activities.placeHold, { reservation: { ...reservation, ...changes }, expiresAt: EXPIRES_AT }),
    capture: (requestKey: string, amountMinor?: string, heldUntil?: string) =>
      run(activities.captureHold, {
        reservation,
        ...(heldUntil === undefined ? {} : { heldUntil }),
        confirm: { requestKey: `${reservationId}-${requestKey}`, ...(amountMinor === undefined ? {} : { amountMinor }) },
      }),
    release: (requestKey: string) =>
      run(activities.releaseHold, { reservation, release: { requestKey: `${reservationId}-${requestKey}` } }),
    end: (effect: "expire" | "release", expiresAt = EXPIRES_AT) => run(activities.endHold, { reservation, effect, expiresAt }),
    extend: (requestKey: string, ttlMs: number, expiresAt: string) =>
      run(activities.extendHold, {
        reservation,
        extend: { requestKey: `${reservationId}-${requestKey}`, ttlMs, expiresAt, caller: "test", correlationId: "test" },
      }),
    advance: (requestKey: string, expiresAt: string) =>
      run(activities.advanceHoldClock, {
        reservation,
        advance: { requestKey: `${reservationId}-${requestKey}`, advanceMs: 1, caller: "test", correlationId: "test" },
        expiresAt,
      }),
    tellExpiring: () => run(activities.tellHoldExpiring, reservation),
    world: async () => {
      const [balance] = await readBalances(database.db, [reservation]);
      return { balance, hold: await getHold(database.db, reservationId) };
    },
  };
}

describe("a step of a reservation", () => {
  const STEPS = {
    place: (steps: Steps) => steps.place(),
    "capture a part": (steps: Steps) => steps.capture("part", "4000"),
    "capture all": (steps: Steps) => steps.capture("all"),
    "capture all before the end that the workflow knows": (steps: Steps) => steps.capture("all", undefined, EXPIRES_AT),
    "capture all after a part, before the end that the workflow knows": async (steps: Steps) => {
      await steps.capture("part", "4000", EXPIRES_AT);
      return steps.capture("all", undefined, EXPIRES_AT);
    },
    release: (steps: Steps) => steps.release("release"),
    expire: (steps: Steps) => steps.end("expire"),
  };
  type Steps = Awaited<ReturnType<typeof newReservation>>;
  const cases = Object.entries(STEPS).map(([name, step]) => ({ name, step }));

  it.each(cases)("changes nothing when it is asked again: $name", async ({ step }) => {
    const steps = await newReservation();
    await steps.place();
    const answer = await step(steps);
    const world = await steps.world();
    expect(await step(steps)).toEqual(answer);
    expect(await steps.world()).toEqual(world);
  });

  it.each(cases)("has one effect when many ask at once: $name", async ({ step }) => {
    const [many, one] = [await newReservation(), await newReservation()];
    if (step !== STEPS.place) await Promise.all([many.place(), one.place()]);
    await Promise.all(Array.from({ length: 8 }, () => step(many)));
    await step(one);
    const [manyWorld, oneWorld] = [await many.world(), await one.world()];
    expect(manyWorld.balance).toEqual({ ...oneWorld.balance, userId: many.reservation.userId });
    expect(manyWorld.hold?.capturedMinor).toBe(oneWorld.hold?.capturedMinor);
  });
});

describe("the money of a reservation", () => {
  it("is held until it is captured; then nothing more can be done with it", async () => {
    const steps = await newReservation();
    expect(await steps.place()).toMatchObject({ status: "held", amountMinor: "10000", capturedMinor: "0", expiresAt: EXPIRES_AT });
    expect(await steps.world()).toMatchObject({ balance: { availableMinor: 0n, heldMinor: 10_000n } });
    expect(await steps.capture("part", "4000")).toMatchObject({ status: "held", capturedMinor: "4000" });
    await expect(steps.capture("too-much", "6001")).rejects.toMatchObject({ type: "AMOUNT_EXCEEDS_HOLD", nonRetryable: true });
    expect(await steps.capture("rest")).toMatchObject({ status: "confirmed", capturedMinor: "10000", releasedMinor: "0" });
    await expect(steps.capture("again")).rejects.toMatchObject({ type: "ALREADY_CONFIRMED" });
    await expect(steps.release("late-release")).rejects.toMatchObject({ type: "ALREADY_CONFIRMED" });
    expect(await steps.end("expire")).toMatchObject({ status: "confirmed" });
    expect(await steps.world()).toMatchObject({ balance: { availableMinor: 0n, heldMinor: 0n } });
  });

  it.each([
    { end: "expire", code: "RESERVATION_EXPIRED", status: "expired" },
    { end: "release", code: "ALREADY_RELEASED", status: "released" },
  ] as const)("goes back by $end, and what comes later is told $code", async ({ end, code, status }) => {
    const steps = await newReservation();
    await steps.place();
    await steps.capture("part", "4000");
    expect(await steps.end(end)).toMatchObject({ status, capturedMinor: "4000", releasedMinor: "6000" });
    await expect(steps.capture("late")).rejects.toMatchObject({ type: code });
    await expect(steps.release("late-release")).rejects.toMatchObject({ type: code });
    expect(await steps.world()).toMatchObject({ balance: { availableMinor: 6_000n, heldMinor: 0n } });
  });

  it("is not held without the funds, and ending what was never held does nothing", async () => {
    const steps = await newReservation({ fundsMinor: 9_999n });
    await expect(steps.place()).rejects.toMatchObject({ type: "INSUFFICIENT_FUNDS", nonRetryable: true });
    expect(await steps.end("release")).toBeUndefined();
    expect(await steps.world()).toMatchObject({ balance: { availableMinor: 9_999n, heldMinor: 0n } });
  });

  it("is not held again by another request under the same id", async () => {
    const steps = await newReservation({ fundsMinor: 30_000n });
    await steps.place();
    await expect(steps.place({ requestHash: "other" })).rejects.toMatchObject({ type: "IDEMPOTENCY_CONFLICT" });
    await expect(steps.place({ amountMinor: "5000" })).rejects.toMatchObject({ type: "IDEMPOTENCY_CONFLICT" });
    expect(await steps.world()).toMatchObject({ balance: { availableMinor: 20_000n, heldMinor: 10_000n } });
  });

  it("is captured by one of many who want all of it, and each other one is told so", async () => {
    const steps = await newReservation();
    await steps.place();
    const answers = await Promise.allSettled(Array.from({ length: 30 }, (_, n) => steps.capture(`key-${n}`)));
    const refusals = answers.flatMap((answer) => (answer.status === "rejected" ? [(answer.reason as { type: string }).type] : []));
    expect(refusals).toEqual(Array.from({ length: 29 }, () => "ALREADY_CONFIRMED"));
    expect(await steps.world()).toMatchObject({ hold: { status: "confirmed", capturedMinor: 10_000n }, balance: { heldMinor: 0n } });
  });
});

describe("the end of a reservation", () => {
  const LATER = "2031-01-01T00:00:00.000Z";
  const PAST = "2020-01-01T00:00:00.000Z";

  it("is moved away once per request, never nearer, and not once it is closed", async () => {
    const steps = await newReservation();
    await steps.place();
    expect(await steps.extend("more", 1, LATER)).toMatchObject({ status: "held", expiresAt: LATER });
    expect(await steps.extend("more", 1, "2040-01-01T00:00:00.000Z")).toMatchObject({ expiresAt: LATER });
    await expect(steps.extend("more", 2, LATER)).rejects.toMatchObject({ type: "IDEMPOTENCY_CONFLICT", nonRetryable: true });
    expect(await steps.extend("less", 1, PAST)).toMatchObject({ expiresAt: LATER });
    await Promise.all(Array.from({ length: 8 }, () => steps.extend("many", 1, "2032-01-01T00:00:00.000Z")));
    await steps.capture("all");
    await expect(steps.extend("late", 1, LATER)).rejects.toMatchObject({ type: "ALREADY_CONFIRMED", nonRetryable: true });
    expect((await steps.world()).hold?.expiresAt.toISOString()).toBe("2032-01-01T00:00:00.000Z");
  });

  it("does not come before the end that its row has", async () => {
    const steps = await newReservation();
    await steps.place();
    await steps.extend("more", 1, LATER);
    expect(await steps.end("expire")).toMatchObject({ status: "held", expiresAt: LATER });
    expect(await steps.end("expire", LATER)).toMatchObject({ status: "expired", releasedMinor: "10000" });
  });

  it("does not come while captures are paused: it is moved on, once for each end", async () => {
    const steps = await newReservation();
    await steps.place();
    await steps.advance("past", PAST);
    const target = { scope: "user", subject: steps.reservation.userId } as const;
    await beginPause(database.db, { ...target, reason: "test", pausedBy: "test" });
    await setTimeout(300);
    const [first, second] = await Promise.all([steps.end("expire", PAST), steps.end("expire", PAST)]);
    expect(first).toMatchObject({ status: "held" });
    expect(second?.expiresAt).toBe(first?.expiresAt);
    expect(Date.parse(first?.expiresAt ?? "")).toBeGreaterThan(Date.now());
    await expect(steps.capture("paused")).rejects.toMatchObject({ type: "PAUSED", nonRetryable: false });
    expect(await steps.end("release")).toMatchObject({ status: "released" });
    await endPause(database.db, target);
  });

  it("is kept also when nobody had the time to give back: a late capture is refused and the money goes back", async () => {
    const steps = await newReservation();
    await steps.place();
    await steps.capture("part", "4000");
    await steps.advance("past", PAST);
    await expect(steps.capture("late")).rejects.toMatchObject({ type: "RESERVATION_EXPIRED", nonRetryable: true });
    expect(await steps.capture("part", "4000")).toMatchObject({ status: "expired", capturedMinor: "4000", releasedMinor: "6000" });
    expect(await steps.end("expire", PAST)).toMatchObject({ status: "expired" });
    expect(await steps.world()).toMatchObject({ balance: { availableMinor: 6_000n, heldMinor: 0n } });
  });

  it("is told once, once more after an extension, and not of what is closed", async () => {
    const steps = await newReservation();
    await steps.place();
    const told = async () =>
      (
        await database.db.execute<{ payload: string }>(
          sql`select payload from outbox where aggregate_id = ${steps.reservation.reservationId} order by id`,
        )
      ).map(({ payload }) => JSON.parse(payload) as { heldMinor: string; expiresAt: string });
    await Promise.all(Array.from({ length: 8 }, () => steps.tellExpiring()));
    await steps.capture("part", "4000");
    await steps.extend("more", 1, LATER);
    await steps.tellExpiring();
    expect((await told()).map(({ heldMinor }) => heldMinor)).toEqual(["10000", "6000"]);
    await steps.capture("rest");
    await steps.tellExpiring();
    expect(await told()).toHaveLength(2);
  });

  it("cannot be moved by the application otherwise", async () => {
    const steps = await newReservation();
    await steps.place();
    const { reservationId } = steps.reservation;
    await expect(database.db.execute(sql`update holds set expires_at = now() where id = ${reservationId}`)).rejects.toThrow(/Failed query/);
    await expect(database.db.execute(sql`delete from hold_moves`)).rejects.toThrow(/Failed query/);
  });
});
