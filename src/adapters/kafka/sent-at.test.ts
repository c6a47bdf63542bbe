import { describe, expect, it } from "vitest";
import { readPurchaseEvent } from "../../events/purchase-event.ts";
import { sentAtMs } from "./sent-at.ts";

const FETCHED_AT_MS = Date.UTC(2026, 10, 21);

describe("the time a message was sent", () => {
  it("is its own where that can be, else that of the fetch", () => {
    expect(sentAtMs("1700000000000", FETCHED_AT_MS)).toBe(1_700_000_000_000);
    for (const unusable of ["-1", "0", "86400000", "", "x"]) expect(sentAtMs(unusable, FETCHED_AT_MS)).toBe(FETCHED_AT_MS);
  });

  it("bounds what an event may tell also where nobody set the producer's clock", () => {
    const text = (year: number) =>
      JSON.stringify({ user_id: "ann", amount: "1", currency: "USD", payment_method: "card", transaction_date: `${year}-11-21T00:00:00Z` });
    const read = (year: number) => readPurchaseEvent(Buffer.from(text(year)), sentAtMs("0", FETCHED_AT_MS)).ok;
    expect([read(2026), read(2027)]).toEqual([true, false]);
  });
});
