import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import { confirmReservationUpdate, type ReservationInput } from "../../src/contract/reservations.ts";
import { getHold } from "../../src/store/reservations/holds.ts";
import { openSagaBench, type SagaBench } from "../support/saga-bench.ts";
import { startStrictTemporal, type StrictTemporal } from "../support/strict-temporal.ts";
import { until } from "../support/until.ts";

const AMOUNT = 10_000n;
const HOUR_MS = 3_600_000;
/** The updates that one run may take here; the server's default is 2,000. */
const MOST_UPDATES = 20;
const by = { caller: "test", correlationId: "test" };

let temporal: StrictTemporal;
let bench: SagaBench;

beforeAll(async () => {
  temporal = await startStrictTemporal([`history.maxTotalUpdates=${MOST_UPDATES}`, "history.maxInFlightUpdates=200"]);
  bench = await openSagaBench({ redisUrl: undefined, temporalAddress: temporal.address });
});

afterAll(async () => {
  await bench.close();
  await temporal.stop();
});

async function placed(more: Partial<ReservationInput> = {}): Promise<string> {
  const reservationId = randomUUID();
  const userId = `user-${reservationId}`;
  await bench.fund(userId, AMOUNT);
  await bench.starters.placeReservation({
    reservationId,
    userId,
    serviceId: "cleaning",
    orderId: "order-1",
    currency: "RUB",
    amountMinor: AMOUNT.toString(),
    ttlMs: 60_000,
    comment: "test",
    requestHash: `hash-${reservationId}`,
    ...by,
    ...more,
  });
  return reservationId;
}

const handleOf = (reservationId: string) => bench.client.workflow.getHandle(reservationWorkflowId(reservationId));
const runOf = async (reservationId: string) => (await handleOf(reservationId).describe()).runId;
const extend = (reservationId: string, n: number) => {
  const ttlMs = HOUR_MS + n * 1_000;
  const expiresAt = new Date(Date.now() + ttlMs).toISOString();
  return bench.starters.extendReservation(reservationId, { requestKey: `${reservationId}/extend-${n}`, ttlMs, expiresAt, ...by });
};
const confirm = (reservationId: string, requestKey: string, amountMinor?: string) =>
  bench.starters.confirmReservation(reservationId, {
    requestKey: `${reservationId}/${requestKey}`,
    ...(amountMinor === undefined ? {} : { amountMinor }),
  });

describe("a reservation that is spoken to more often than one run may be", () => {
  it("takes three times as many requests as the server lets one run take, and is then confirmed", async () => {
    const reservationId = await placed();
    const runs = new Set<string>();
    for (let n = 0; n < 3 * MOST_UPDATES; n += 1) {
      const answer = n % 2 === 0 ? await extend(reservationId, n) : await confirm(reservationId, `part-${n}`, "10");
      expect(answer, `request ${n}`).toMatchObject({ status: "held" });
      runs.add(await runOf(reservationId));
    }
    expect(runs.size).toBeGreaterThan(3);
    expect(await confirm(reservationId, "rest")).toMatchObject({ status: "confirmed", capturedMinor: AMOUNT.toString() });
    await handleOf(reservationId).result();
    expect(await getHold(bench.database.db, reservationId)).toMatchObject({ status: "confirmed", capturedMinor: AMOUNT });
    expect(await bench.balanceOf(`user-${reservationId}`)).toMatchObject({ availableMinor: 0n, heldMinor: 0n });
  });

  it("answers requests that come at once, each once, while it goes on in new runs", async () => {
    const reservationId = await placed({ requestsPerRun: 3 });
    const first = await runOf(reservationId);
    for (let wave = 0; wave < 30; wave += 10) {
      const parts = Array.from({ length: 10 }, (_, n) => confirm(reservationId, `part-${wave + n}`, "10"));
      for (const answer of await Promise.all(parts)) expect(answer).toMatchObject({ status: "held" });
    }
    expect(await runOf(reservationId)).not.toBe(first);
    expect(await getHold(bench.database.db, reservationId)).toMatchObject({ status: "held", capturedMinor: 300n });
    for (let n = 0; n < 30; n += 7)
      expect(await confirm(reservationId, `part-${n}`, "10"), "answered by an earlier run").toMatchObject({ status: "held" });
    expect(await bench.starters.releaseReservation(reservationId, { requestKey: `${reservationId}/release` })).toMatchObject({
      status: "released",
      capturedMinor: "300",
      releasedMinor: "9700",
    });
  });

  it("ends at its end also in a later run", async () => {
    const reservationId = await placed({ requestsPerRun: 1, ttlMs: 4_000 });
    const first = await runOf(reservationId);
    await confirm(reservationId, "part", "10");
    expect(await runOf(reservationId)).not.toBe(first);
    await until("its time has passed", async () => (await getHold(bench.database.db, reservationId))?.status === "expired");
    expect(await handleOf(reservationId).result()).toMatchObject({ status: "expired", capturedMinor: "10" });
  });

  it("gives back when it is cancelled in a later run", async () => {
    const reservationId = await placed({ requestsPerRun: 1 });
    await confirm(reservationId, "part", "10");
    await handleOf(reservationId).cancel();
    expect(await handleOf(reservationId).result()).toMatchObject({ status: "released", capturedMinor: "10" });
  });

  it("goes on in its next run with a confirmation that hangs, which happens once and is answered once", async () => {
    const reservationId = await placed({ requestsPerRun: 2 });
    const first = await runOf(reservationId);
    bench.loseCaptures = true;
    const hanging = confirm(reservationId, "hangs", "1000");
    const sentByHand = handleOf(reservationId)
      .executeUpdate(confirmReservationUpdate, { args: [{ requestKey: `${reservationId}/by hand`, amountMinor: "500" }] })
      .catch((error: unknown) => error);
    // While the two hang, the run takes more than the two requests after which an idle run goes on.
    for (let n = 0; n < 12; n += 1) expect(await extend(reservationId, n)).toMatchObject({ status: "held" });
    expect(await sentByHand).toMatchObject({ cause: { type: "CARRIED_OVER" } });
    expect(await runOf(reservationId)).not.toBe(first);
    bench.loseCaptures = false;
    expect(await hanging).toMatchObject({ status: "held" });
    // Nobody sends this one again: the next run goes on with it by itself.
    await until("both are captured", async () => (await getHold(bench.database.db, reservationId))?.capturedMinor === 1_500n);
    expect(await confirm(reservationId, "rest")).toMatchObject({ status: "confirmed", capturedMinor: AMOUNT.toString() });
    await handleOf(reservationId).result();
  });

  it("is decided by its row when a run takes no more updates: the caller is told at once to do without the workflow", async () => {
    const reservationId = await placed();
    await bench.stopWorker();
    const unanswered = Array.from({ length: MOST_UPDATES - 1 }, (_, n) => extend(reservationId, n).catch(() => undefined));
    let asked = 0;
    const askedOnce = async (): Promise<boolean> => {
      asked += 1;
      const answer = confirm(reservationId, `late-${asked}`, "10");
      unanswered.push(answer.catch(() => undefined));
      return (await Promise.race([answer, sleep(1_000, "waits")])) === undefined;
    };
    await until("the run takes no more, and says so at once", askedOnce);
    await bench.startWorker();
    await Promise.all(unanswered);
    expect(await confirm(reservationId, "rest")).toMatchObject({ status: "confirmed" });
  });
});
