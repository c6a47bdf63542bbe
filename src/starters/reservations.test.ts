import type { Client } from "@temporalio/client";
import { describe, expect, it } from "vitest";
import { createCalls } from "./calls.ts";
import { createReservationStarters } from "./reservations.ts";

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
