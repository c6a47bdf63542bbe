import { randomUUID } from "node:crypto";
import { WorkflowUpdateFailedError, type WorkflowHandle, type WorkflowStartOptions } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { afterAll, beforeAll, expect } from "vitest";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import {
  confirmReservationUpdate,
  extendReservationUpdate,
  reservationPlacedUpdate,
  type ConfirmInput,
  type ReservationInput,
  type ReservationState,
} from "../../src/contract/reservations.ts";
import type { ReservationResult } from "../../workflows/reservations/reservation.ts";
import { createFakeBook } from "./fake-book.ts";
import type { Page, Script } from "./fake-page.ts";
import type { TimeSkipping } from "./time-skipping.ts";

/** What a reservation holds. */
export const AMOUNT = 10_000n;
export const TEN_MINUTES_MS = 600_000;

/** The code that an update was refused with. Throws: what came instead of a refusal. */
export async function refusalOf(update: Promise<unknown>): Promise<string | null | undefined> {
  const error: unknown = await update.then(
    () => new Error("the update was not refused"),
    (reason: unknown) => reason,
  );
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) return error.cause.type;
  throw error;
}

/** Nothing stays held, nothing is lost, and the row says the same as the workflow. */
export function expectDefiniteEnd(page: Page, result: ReservationResult, expected: { status: string; capturedMinor: bigint }): void {
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

/** Runs a worker with its own fake book on the server of the test file, for the tests of one group, and what they ask of a reservation. */
export function useReservationWorker(cacheSize: number, server: () => TimeSkipping) {
  const taskQueue = `reservations-${cacheSize}`;
  const book = createFakeBook();
  let stopWorker: () => Promise<void>;

  beforeAll(async () => {
    stopWorker = await server().startWorker({ taskQueue, cacheSize, book });
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
    server().env.client.workflow.start("reservation", {
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
    const expiresAt = new Date((await server().env.currentTimeMs()) + ttlMs).toISOString();
    return handle.executeUpdate(extendReservationUpdate, { args: [{ requestKey, ttlMs, expiresAt, ...by }] });
  };
  const confirm = (handle: WorkflowHandle, input: ConfirmInput): Promise<ReservationState> =>
    handle.executeUpdate(confirmReservationUpdate, { args: [input] });
  // The wait for the result makes the server skip time.
  const resultOf = async (handle: WorkflowHandle) => (await handle.result()) as ReservationResult;
  return { book, taskQueue, newReservation, start, place, by, extend, confirm, resultOf };
}
