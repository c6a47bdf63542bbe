import type { Client } from "@temporalio/client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DomainError } from "../base/errors.ts";
import type { ReservationInput, ReservationState } from "../contract/reservations.ts";
import { createCalls, type Calls } from "./calls.ts";
import type { PlacedHold } from "./placed-holds.ts";
import { createReservationStarters } from "./reservations.ts";
import { createWaits } from "./waits.ts";

const confirmed = { status: "confirmed" };

/** Starters over a Temporal whose updates all end confirmed. */
function createCounted() {
  const updateIds: string[] = [];
  const executeUpdate = async (_update: unknown, { updateId }: { updateId: string }) => {
    updateIds.push(updateId);
    return confirmed;
  };
  const client = { withDeadline: (_deadline: number, work: () => unknown) => work(), workflow: { getHandle: () => ({ executeUpdate }) } };
  return { updateIds, starters: createReservationStarters(createCalls({ client: client as unknown as Client, deadlineMs: 1_000 })) };
}

describe("an update of a reservation", () => {
  it("has an id of fixed length that tells requests apart and leaves the client's key out", async () => {
    const { starters, updateIds } = createCounted();
    for (const requestKey of ["k", "l", "x".repeat(10_000)]) await starters.confirmReservation("r", { requestKey });
    await starters.releaseReservation("r", { requestKey: "k" });
    expect(new Set(updateIds).size).toBe(4);
    expect(new Set(updateIds.map(({ length }) => length)).size).toBe(1);
  });
});

const RESERVATION = {
  reservationId: "r-1",
  userId: "ann",
  serviceId: "gig",
  orderId: "o-1",
  currency: "RUB",
  amountMinor: "100",
} as ReservationInput;
const HELD = { reservationId: "r-1", status: "held" } as ReservationState;
const FROM_WORKFLOW = { ...HELD, amountMinor: "from the workflow" };

/** The starters over calls that start one reservation, during which its step ends with `step`, and how often its workflow was asked. */
function createPlacing({ isHere = true, alreadyStarted = false, step = undefined as PlacedHold | "none" } = {}) {
  const placedHolds = createWaits<PlacedHold>();
  let asked = 0;
  const calls = {
    async start() {
      if (step !== "none") placedHolds.tell("r-1", step);
      return { alreadyStarted, isHere };
    },
    async update() {
      asked += 1;
      return FROM_WORKFLOW;
    },
  } as unknown as Calls;
  return { placedHolds, asked: () => asked, starters: createReservationStarters(calls, { eager: true, placedHolds }) };
}

describe("a reservation that is placed", () => {
  // A wait that nothing ends stays: a test then shows by its own end that nobody waited.
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is known to be held by the commit of this process, without a question to its workflow", async () => {
    const { starters, asked, placedHolds } = createPlacing({ step: HELD });
    expect(await starters.placeReservation(RESERVATION)).toEqual(HELD);
    expect([asked(), placedHolds.size()]).toEqual([0, 0]);
  });

  it("is known to be refused by this process too", async () => {
    const { starters, asked, placedHolds } = createPlacing({ step: new DomainError("INSUFFICIENT_FUNDS") });
    await expect(starters.placeReservation(RESERVATION)).rejects.toMatchObject({ code: "INSUFFICIENT_FUNDS" });
    expect([asked(), placedHolds.size()]).toEqual([0, 0]);
  });

  it.each([
    ["its step has failed", { step: undefined }],
    ["another process has its first task", { isHere: false, step: "none" }],
    ["it was started before", { alreadyStarted: true, isHere: false, step: "none" }],
  ] as const)("is known by its workflow when %s, and nothing is kept for it", async (_when, how) => {
    const { starters, asked, placedHolds } = createPlacing(how);
    expect(await starters.placeReservation(RESERVATION)).toEqual(FROM_WORKFLOW);
    expect([asked(), placedHolds.size()]).toEqual([1, 0]);
  });

  it("is known by its workflow when the step that has its first task takes too long", async () => {
    const { starters, asked, placedHolds } = createPlacing({ step: "none" });
    const placing = starters.placeReservation(RESERVATION);
    await vi.advanceTimersByTimeAsync(2_900);
    expect(asked()).toBe(0);
    await vi.advanceTimersByTimeAsync(200);
    expect(await placing).toEqual(FROM_WORKFLOW);
    expect(placedHolds.size()).toBe(0);
  });

  it("is known by its workflow where no worker runs in this process", async () => {
    const { asked, placedHolds } = createPlacing();
    const calls = { update: async () => FROM_WORKFLOW } as unknown as Calls;
    expect(await createReservationStarters(calls, { eager: false, placedHolds }).placeReservation(RESERVATION)).toEqual(FROM_WORKFLOW);
    expect(asked()).toBe(0);
  });
});
