import { describe, expect, it } from "vitest";
import { SAGA_STATES } from "../../contract/orders.ts";
import { assertMove, isFinal, mayMove, statesBefore } from "./order-states.ts";

describe("an order's saga", () => {
  it("makes exactly the legal moves", () => {
    const legal = SAGA_STATES.flatMap((from) => SAGA_STATES.filter((to) => mayMove(from, to)).map((to) => `${from} > ${to}`));
    expect(legal).toEqual([
      "STARTED > PAYMENT_PENDING",
      "STARTED > COMPENSATING",
      "PAYMENT_PENDING > COMPLETED",
      "PAYMENT_PENDING > COMPENSATING",
      "COMPENSATING > FAILED",
    ]);
  });

  it("fails only after its compensation", () => {
    expect(statesBefore("FAILED")).toEqual(["COMPENSATING"]);
  });

  it("leaves COMPLETED and FAILED never", () => {
    expect(SAGA_STATES.filter(isFinal)).toEqual(["COMPLETED", "FAILED"]);
  });

  it("refuses every other move with a code", () => {
    expect(() => assertMove("COMPLETED", "COMPENSATING")).toThrow(expect.objectContaining({ code: "ORDER_STATE_CONFLICT" }));
    expect(() => assertMove("STARTED", "COMPLETED")).toThrow(expect.objectContaining({ code: "ORDER_STATE_CONFLICT" }));
  });
});
