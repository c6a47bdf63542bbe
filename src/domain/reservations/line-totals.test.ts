import { describe, expect, it } from "vitest";
import { lineTotals, moneyOfHold } from "./line-totals.ts";

const hold = (currency: string, amountMinor: bigint, capturedMinor = 0n, releasedMinor = 0n) => ({
  currency,
  amountMinor,
  capturedMinor,
  releasedMinor,
});

describe("the sums of several reservations", () => {
  it("are made for each currency of its own", () => {
    const lines = [hold("RUB", 100n), hold("EUR", 7n, 7n), hold("RUB", 50n, 20n, 10n)].map((one) => moneyOfHold(one, 0n));
    expect(lineTotals(lines)).toEqual([
      { currency: "RUB", amountMinor: 150n, confirmedMinor: 20n, releasedMinor: 10n, heldMinor: 120n },
      { currency: "EUR", amountMinor: 7n, confirmedMinor: 7n, releasedMinor: 0n, heldMinor: 0n },
    ]);
  });

  it("count what was confirmed late as confirmed, and not as given back", () => {
    expect(moneyOfHold(hold("RUB", 100n, 30n, 70n), 40n)).toMatchObject({ confirmedMinor: 70n, releasedMinor: 30n, heldMinor: 0n });
  });

  it("of no reservation are none", () => {
    expect(lineTotals([])).toEqual([]);
  });
});
