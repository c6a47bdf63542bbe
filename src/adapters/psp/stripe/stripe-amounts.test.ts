import { expect, it } from "vitest";
import { fromStripeAmount, toStripeAmount } from "./stripe-amounts.ts";

it.each([
  ["EUR", 10_050n, 10_050],
  ["JPY", 500n, 500],
  ["MGA", 12_300n, 123],
  ["ISK", 5n, 500],
  ["KWD", 5_120n, 5_120],
])("an amount in %s is counted as Stripe counts it, and back", (currency, amountMinor, theirs) => {
  expect(toStripeAmount(amountMinor, currency)).toBe(theirs);
  expect(fromStripeAmount(theirs, currency)).toBe(amountMinor);
});

it("what Stripe cannot take, or counts unclearly, is refused and never rounded", () => {
  for (const [currency, amountMinor] of [
    ["MGA", 12_345n],
    ["KWD", 5_124n],
  ] as const)
    expect(() => toStripeAmount(amountMinor, currency)).toThrow(expect.objectContaining({ code: "INVALID_AMOUNT" }));
  for (const currency of ["UGX", "PTS", "CLF"])
    expect(() => toStripeAmount(100n, currency)).toThrow(expect.objectContaining({ code: "INVALID_CURRENCY" }));
});
