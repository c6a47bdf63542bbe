import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exponentOf, formatAmount, isCurrency, MAX_AMOUNT_MINOR, parseAmount } from "./money.ts";

describe("an amount", () => {
  it("survives the way to text and back for every size and number of decimals", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: MAX_AMOUNT_MINOR }),
        fc.constantFrom("RUB", "JPY", "KWD", "UYW", "PTS"),
        (amountMinor, currency) => {
          expect(parseAmount(formatAmount(amountMinor, currency), currency)).toBe(amountMinor);
        },
      ),
    );
  });

  // The earlier service turned 0.15 into 16 kopecks and 1234567.89 into 1234567.84 by way of float32 (B-10, B-11).
  it.each([
    ["0.15", 15n],
    ["1.10", 110n],
    ["0.30", 30n],
    ["999999.99", 99_999_999n],
    ["1234567.89", 123_456_789n],
    ["100.5", 10_050n],
    ["7", 700n],
    ["9999999999.99", 999_999_999_999n],
  ])("%s roubles is exactly %s kopecks", (text, amountMinor) => {
    expect(parseAmount(text, "RUB")).toBe(amountMinor);
  });

  it.each([
    "0",
    "0.00",
    "-1",
    "-0",
    "+1",
    "1e3",
    "NaN",
    "Infinity",
    "",
    " 1",
    "1 ",
    "01",
    ".5",
    "1.",
    "1,5",
    "1_000",
    "0x10",
    "1.001",
    "9223372036854775808",
    "10000000000.00",
    "9".repeat(1_000),
    "١",
  ])("is refused when it is %s", (text) => {
    expect(() => parseAmount(text, "RUB")).toThrow(expect.objectContaining({ code: "INVALID_AMOUNT" }));
  });

  it.each([
    ["99999999999999999", "RUB", "the amount is above 9999999999.99 RUB, the largest one operation may carry"],
    ["12345678901234567.89", "RUB", "the amount is above 9999999999.99 RUB, the largest one operation may carry"],
    ["9".repeat(1_000), "JPY", "the amount is above 999999999999 JPY, the largest one operation may carry"],
    ["10000000000", "RUB", "the amount is above 9999999999.99 RUB, the largest one operation may carry"],
    ["1.0000000", "RUB", "RUB has 2 decimals"],
    ["0.00", "RUB", "the amount must be above zero"],
    ["-1", "RUB", "the amount is not a plain decimal such as 100.50"],
    ["1e17", "RUB", "the amount is not a plain decimal such as 100.50"],
  ])("is refused in words that name what is wrong: %s %s", (text, currency, message) => {
    expect(() => parseAmount(text, currency)).toThrow(expect.objectContaining({ code: "INVALID_AMOUNT", message }));
  });

  it("is refused with more decimals than its currency has", () => {
    expect(() => parseAmount("1.5", "JPY")).toThrow(expect.objectContaining({ code: "INVALID_AMOUNT" }));
    expect(() => parseAmount("1.5", "PTS")).toThrow(expect.objectContaining({ code: "INVALID_AMOUNT" }));
    expect(parseAmount("1.555", "KWD")).toBe(1_555n);
  });

  it("below one unit and below zero is written with its leading zero and sign", () => {
    expect(formatAmount(5n, "RUB")).toBe("0.05");
    expect(formatAmount(-5n, "RUB")).toBe("-0.05");
    expect(formatAmount(0n, "RUB")).toBe("0.00");
    expect(formatAmount(-12_345n, "JPY")).toBe("-12345");
  });
});

describe("a currency", () => {
  it("has the decimals of ISO 4217, not those of CLDR", () => {
    expect(["RUB", "USD", "JPY", "KWD", "IQD", "CLF", "PTS"].map(exponentOf)).toEqual([2, 2, 0, 3, 3, 4, 0]);
  });

  it.each(["", "rub", "RU", "XXX", "constructor", "__proto__", "BTC"])("is refused when it is %s", (currency) => {
    expect(isCurrency(currency)).toBe(false);
    expect(() => exponentOf(currency)).toThrow(expect.objectContaining({ code: "INVALID_CURRENCY" }));
  });
});
