import type { Client } from "@temporalio/client";
import { describe, expect, test } from "vitest";
import { createStarters } from "./starters.ts";

// As a native connection behaves when nobody answers: it goes on trying, whatever deadline it was given.
const never = () => new Promise<never>(() => {});
const silent = {
  withDeadline: (_deadline: number, work: () => Promise<unknown>) => work(),
  workflow: { start: never, executeUpdateWithStart: never, getHandle: () => ({ query: never, executeUpdate: never, result: never }) },
} as unknown as Client;

describe("the starters of a Temporal that does not answer", () => {
  const starters = createStarters({ client: silent, eager: false, deadlineMs: 100 });

  test.each([
    ["a query", () => starters.orderStatus("o")],
    ["an update", () => starters.cancelOrder("o", "why")],
    ["another update", () => starters.releaseReservation("r", { requestKey: "k" })],
  ])("give up %s at their deadline", async (_what, call) => {
    const startedMs = performance.now();
    await expect(call()).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });
});
