import { expect, it } from "vitest";
import { DomainError } from "../../src/base/errors.ts";
import type { ReservationInput, ReservationState } from "../../src/contract/reservations.ts";
import { tellingPlacedHolds } from "./placed-holds.ts";

const INPUT = { reservation: { reservationId: "r-1" } as ReservationInput, expiresAt: "2026-12-01T00:00:00Z" };
const HELD = { reservationId: "r-1", status: "held" } as ReservationState;

/** What is told of a step that ends in this way, and how the step ends for its workflow. */
async function toldOf(step: (input: typeof INPUT) => Promise<ReservationState>) {
  const told: unknown[] = [];
  const { placeHold } = tellingPlacedHolds({ placeHold: step }, { tellHold: (...news) => void told.push(news) });
  const end = await placeHold(INPUT).catch((error: unknown) => error);
  return { told, end };
}

it("a hold is told of once it stands", async () => {
  expect(await toldOf(async () => HELD)).toEqual({ told: [["r-1", HELD]], end: HELD });
});

it("a refusal of the ledger is told, and stays the step's", async () => {
  const refusal = new DomainError("INSUFFICIENT_FUNDS");
  const { told, end } = await toldOf(() => Promise.reject(refusal));
  expect(told).toEqual([["r-1", refusal]]);
  expect(end).toBe(refusal);
});

it.each([new DomainError("UNAVAILABLE"), new DomainError("DEADLINE_EXCEEDED"), new Error("a bug")])(
  "a failure that may pass (%s) is told as one, not as a refusal",
  async (failure) => {
    const { told, end } = await toldOf(() => Promise.reject(failure));
    expect(told).toEqual([["r-1", undefined]]);
    expect(end).toBe(failure);
  },
);
