import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { codeOf } from "../../src/base/errors.ts";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import type { ReservationInput } from "../../src/contract/reservations.ts";
import { captureHoldOperation } from "../../src/domain/ledger/hold-operations.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { getHold } from "../../src/store/reservations/holds.ts";
import { withEnoughTime } from "../support/enough-time.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { until } from "../support/until.ts";

const AMOUNT = 10_000n;
let bench: SagaBench;

beforeAll(async () => {
  bench = await openSagaBench({ redisUrl: inject("redisUrl") });
});

afterAll(() => bench.close());

const newReservation = (ttlMs = 60_000): ReservationInput => {
  const reservationId = randomUUID();
  return {
    reservationId,
    userId: `user-${reservationId}`,
    serviceId: "cleaning",
    orderId: "order-1",
    currency: "RUB",
    amountMinor: AMOUNT.toString(),
    ttlMs,
    comment: "test",
    requestHash: `hash-${reservationId}`,
    correlationId: `correlation-${reservationId}`,
    caller: "test",
  };
};

/** A reservation whose money is held. */
async function placed(ttlMs?: number): Promise<ReservationInput> {
  const reservation = newReservation(ttlMs);
  await bench.fund(reservation.userId, AMOUNT);
  expect(await bench.starters.placeReservation(reservation)).toMatchObject({ status: "held" });
  return reservation;
}

const rowOf = ({ reservationId }: ReservationInput) => getHold(bench.database.db, reservationId);
const ended = (reservation: ReservationInput) => bench.client.workflow.getHandle(reservationWorkflowId(reservation.reservationId)).result();

/** What the API does: the workflow is asked, and once it has ended the row itself. It answers with the status or the refusal's code. */
async function confirm(reservation: ReservationInput, requestKey: string): Promise<string> {
  const { reservationId, userId, serviceId, orderId, currency } = reservation;
  try {
    const answer = await bench.starters.confirmReservation(reservationId, { requestKey });
    if (answer !== undefined) return answer.status;
  } catch (error) {
    return codeOf(error);
  }
  const result = await bench.ledger.post(
    captureHoldOperation({
      key: requestKey,
      holdId: reservationId,
      userId,
      serviceId,
      orderId,
      currency,
      amountMinor: "remainder",
      comment: "test",
      origin: { caller: "test", correlationId: "test" },
    }),
  );
  return result.outcome === "refused" ? result.code : result.outcome === "done" ? "confirmed" : result.outcome;
}

async function expectClosed(reservation: ReservationInput, status: "confirmed" | "released" | "expired"): Promise<void> {
  const capturedMinor = status === "confirmed" ? AMOUNT : 0n;
  expect(await rowOf(reservation)).toMatchObject({ status, capturedMinor, releasedMinor: AMOUNT - capturedMinor });
  expect(await bench.balanceOf(reservation.userId)).toMatchObject({ heldMinor: 0n, availableMinor: AMOUNT - capturedMinor });
}

describe("a reservation", () => {
  it("is held, counts its seconds down, and is confirmed; the cached balance follows", async () => {
    const reservation = await placed();
    expect(await bench.balanceOf(reservation.userId)).toMatchObject({ availableMinor: 0n, heldMinor: AMOUNT });
    const first = await bench.starters.reservationStatus(reservation.reservationId);
    await sleep(1_100);
    const second = await bench.starters.reservationStatus(reservation.reservationId);
    expect(first?.remainingSeconds).toBeLessThanOrEqual(60);
    expect(second?.remainingSeconds).toBeLessThan(first?.remainingSeconds ?? 0);
    expect(second?.remainingSeconds).toBeGreaterThan(40);
    expect(await confirm(reservation, `${reservation.reservationId}-all`)).toBe("confirmed");
    await ended(reservation);
    await expectClosed(reservation, "confirmed");
  });

  it("is placed once, however often and at once it is asked for", async () => {
    const reservation = newReservation();
    await bench.fund(reservation.userId, AMOUNT * 3n);
    const answers = await Promise.all(Array.from({ length: 8 }, () => bench.starters.placeReservation(reservation)));
    expect(new Set(answers.map((answer) => answer?.status))).toEqual(new Set(["held"]));
    expect(await bench.balanceOf(reservation.userId)).toMatchObject({ heldMinor: AMOUNT });
    await bench.starters.releaseReservation(reservation.reservationId, { requestKey: `${reservation.reservationId}-release` });
    await ended(reservation);
    await bench.starters.placeReservation(reservation);
    expect(await bench.balanceOf(reservation.userId)).toMatchObject({ heldMinor: 0n, availableMinor: AMOUNT * 3n });
  });

  it("is refused without the funds, and found as refused", async () => {
    const reservation = newReservation();
    await bench.fund(reservation.userId, AMOUNT - 1n);
    for (let n = 0; n < 2; n += 1)
      await expect(bench.starters.placeReservation(reservation)).rejects.toMatchObject({ code: "INSUFFICIENT_FUNDS" });
    expect(await rowOf(reservation)).toBeUndefined();
    await until("it is found", () => isFoundAs(reservation, "refused"));
  });

  it("goes back by itself within seconds, and is found as expired", async () => {
    const reservation = await placed(1_000);
    await until("the money went back", async () => (await rowOf(reservation))?.status === "expired");
    await ended(reservation);
    await expectClosed(reservation, "expired");
    expect(await confirm(reservation, `${reservation.reservationId}-late`)).toBe("RESERVATION_EXPIRED");
    await until("it is found", () => isFoundAs(reservation, "expired"));
  });

  it("goes back within seconds of the worker's return when its time passed without one", async () => {
    const reservations = await withEnoughTime(1_500, async (ttlMs) => {
      const all = await Promise.all(Array.from({ length: 5 }, () => placed(ttlMs)));
      await bench.stopWorker();
      const rows = await Promise.all(all.map(rowOf));
      if (rows.every((row) => row?.status === "held")) return all;
      await bench.startWorker();
      return undefined;
    });
    const ends = await Promise.all(reservations.map(async (reservation) => (await rowOf(reservation))?.expiresAt.getTime() ?? 0));
    await until("their time has passed", () => Date.now() > Math.max(...ends) + 200);
    for (const reservation of reservations) expect((await rowOf(reservation))?.status).toBe("held");
    await bench.startWorker();
    for (const reservation of reservations) {
      await until("the money went back", async () => (await rowOf(reservation))?.status === "expired");
      await ended(reservation);
      await expectClosed(reservation, "expired");
    }
  });

  it("gives back natively cancelled, as an operator does it", async () => {
    const reservation = await placed();
    await bench.client.workflow.getHandle(reservationWorkflowId(reservation.reservationId)).cancel();
    await ended(reservation);
    await expectClosed(reservation, "released");
  });
});

describe("many who want one reservation", () => {
  it("of a hundred confirmations exactly one wins, and the others are told ALREADY_CONFIRMED", async () => {
    const reservation = await placed();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => confirm(reservation, `${reservation.reservationId}-${n}`)));
    expect(tally(answers)).toEqual({ confirmed: 1, ALREADY_CONFIRMED: 99 });
    await ended(reservation);
    await expectClosed(reservation, "confirmed");
  });

  it("of confirmations and releases exactly one wins, and the others are told what it was", async () => {
    const reservation = await placed();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => {
        const requestKey = `${reservation.reservationId}-${n}`;
        if (n % 2 === 0) return confirm(reservation, requestKey);
        return bench.starters
          .releaseReservation(reservation.reservationId, { requestKey })
          .then((state) => state?.status ?? "ended", codeOf);
      }),
    );
    await ended(reservation);
    const status = (await rowOf(reservation))?.status as "confirmed" | "released";
    expect(answers.filter((answer) => answer === status)).toHaveLength(1);
    const others = answers.filter((answer) => answer !== status && answer !== "ended");
    expect(new Set(others)).toEqual(new Set([status === "confirmed" ? "ALREADY_CONFIRMED" : "ALREADY_RELEASED"]));
    await expectClosed(reservation, status);
  });

  it("of a confirmation and its own end exactly one wins: both are seen, never both for one, never neither", async () => {
    // A few have so long a time, or are confirmed so late, that both outcomes are seen however slow the machine is.
    const isLong = (n: number) => n % 10 === 0;
    const reservations = await Promise.all(Array.from({ length: 60 }, (_, n) => placed(isLong(n) ? 120_000 : 3_000 + n * 20)));
    const answers = await Promise.all(
      reservations.map(async (reservation, n) => {
        const { expiresAt } = (await rowOf(reservation)) as { expiresAt: Date };
        // Most come within 150 ms of the end.
        const aroundEndMs = n % 10 === 1 ? 300 : ((n * 37) % 60) * 5 - 150;
        if (!isLong(n)) await sleep(Math.max(0, expiresAt.getTime() - Date.now() + aroundEndMs));
        return confirm(reservation, `${reservation.reservationId}-race`);
      }),
    );
    for (const [n, reservation] of reservations.entries()) {
      await ended(reservation);
      expect(["confirmed", "RESERVATION_EXPIRED"]).toContain(answers[n]);
      await expectClosed(reservation, answers[n] === "confirmed" ? "confirmed" : "expired");
    }
    expect(new Set(answers).size).toBe(2);
  });
});

describe("the books", () => {
  it("are right after all of it", async () => {
    expect((await auditBooks(bench.database.db)).findings.filter(({ broken }) => broken > 0n)).toEqual([]);
  });
});

function tally(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

async function isFoundAs({ reservationId, userId }: ReservationInput, state: string): Promise<boolean> {
  for await (const { workflowId } of bench.client.workflow.list({ query: `ReservationState = "${state}" and UserId = "${userId}"` }))
    if (workflowId === reservationWorkflowId(reservationId)) return true;
  return false;
}
