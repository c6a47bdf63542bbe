import { describe, expect, it } from "vitest";
import { ageProblem } from "../../test/support/currency-list-age.ts";
import { formatAmount, isCurrency, parseAmount } from "./money.ts";

describe("the list of currencies", () => {
  it.each(["XCG", "ZWG", "XAD", "VED", "SLE"])("has %s, which was issued lately, with two decimals", (code) => {
    expect(formatAmount(parseAmount("100.50", code), code)).toBe("100.50");
    expect(() => parseAmount("100.505", code)).toThrow(/2 decimals/);
  });

  it.each(["ANG", "ZWL", "CUC", "SLL", "BGN"])(
    "keeps %s, which was retired since Saldo first had a list, so that its money can be shown",
    (code) => {
      expect(formatAmount(parseAmount("1.05", code), code)).toBe("1.05");
    },
  );

  it.each(["HRK", "DEM", "LTL", "VEF", "MRO", "XAU", "XDR", "XXX", "BTC", "xcg", ""])("has no %s", (code) => {
    expect(isCurrency(code)).toBe(false);
  });

  it("is too old a year after its date, and not a day before", () => {
    expect(ageProblem("2026-01-01", Date.parse("2026-12-31T23:00:00Z"))).toBeUndefined();
    expect(ageProblem("2026-01-01", Date.parse("2027-01-02T00:00:00Z"))).toMatch(/older than a year/);
  });
});
