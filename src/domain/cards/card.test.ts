import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cpuMsOf } from "../../../test/support/cpu-time.ts";
import {
  brandOf,
  checkCard,
  isLuhnValid,
  looksLikeCardNumber,
  maskCardsOfABrand,
  maskDigits,
  withoutCutNumber,
  type CardInput,
} from "./card.ts";

const AT = new Date("2026-11-21T08:00:00Z");
const CARD: CardInput = { number: "4111111111111111", expiry: "12/28", cvc: "123", holderName: "A Person" };

const digits = (minLength: number, maxLength: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength, maxLength }).map((list) => list.join(""));
const withCheckDigit = (head: string) => head + (Array.from("0123456789").find((last) => isLuhnValid(head + last)) ?? "");
const luhnValid = (minLength: number, maxLength: number) => digits(minLength - 1, maxLength - 1).map(withCheckDigit);

function refusal(card: Partial<CardInput>, at = AT): { code: string; message: string; details: Record<string, string> } {
  try {
    checkCard({ ...CARD, ...card }, at);
  } catch (error) {
    return error as { code: string; message: string; details: Record<string, string> };
  }
  throw new Error("the card was accepted");
}

describe("a card", () => {
  it("with a right check digit, a month that is not past and the brand's CVC is accepted, spaces and dashes taken away", () => {
    expect(checkCard(CARD, AT)).toEqual({ ...CARD, last4: "1111", brand: "visa" });
    expect(checkCard({ ...CARD, number: "4111 1111-1111 1111" }, AT).number).toBe("4111111111111111");
    expect(checkCard({ ...CARD, number: "378282246310005", cvc: "1234" }, AT).brand).toBe("amex");
  });

  it("is good until its last month has ended, on the day of the transaction and not today", () => {
    expect(checkCard({ ...CARD, expiry: "10/22" }, new Date("2022-10-31T23:59:59.999Z")).last4).toBe("1111");
    expect(refusal({ expiry: "10/22" }, new Date("2022-11-01T00:00:00Z"))).toMatchObject({
      code: "INVALID_CARD",
      details: { pointer: "/card/expiry" },
    });
    expect(checkCard({ ...CARD, expiry: "12/99" }, AT).last4).toBe("1111");
  });

  it.each(["", "1/28", "13/28", "00/28", "12/2028", "12-28", "1228", "12/28 ", "١٢/٢٨"])("with the expiry %j is refused", (expiry) => {
    expect(refusal({ expiry }).details).toEqual({ pointer: "/card/expiry" });
  });

  it.each([
    ["4111111111111111", ["", "12", "1234", "12a", " 123", "１２３"]],
    ["378282246310005", ["123", "12345"]],
    ["9999999999999995", ["12", "12345"]],
  ])("%s is refused with a CVC of another length than its brand's", (number, cvcs) => {
    for (const cvc of cvcs) expect(refusal({ number, cvc }).details, cvc).toEqual({ pointer: "/card/cvc" });
  });

  it("with fewer than 12 or more than 19 digits is refused", () => {
    fc.assert(
      fc.property(fc.oneof(luhnValid(2, 11), luhnValid(20, 24)), (number) => {
        expect(refusal({ number }).details).toEqual({ pointer: "/card/number" });
      }),
    );
  });

  it("with one wrong digit, or two neighbours changed round, is refused", () => {
    fc.assert(
      fc.property(luhnValid(12, 19), fc.nat(), fc.integer({ min: 1, max: 9 }), (number, place, by) => {
        const at = place % number.length;
        const wrong = `${number.slice(0, at)}${(Number(number[at]) + by) % 10}${number.slice(at + 1)}`;
        expect(isLuhnValid(number)).toBe(true);
        expect(refusal({ number: wrong }).details).toEqual({ pointer: "/card/number" });
        const [one = "", other = ""] = number.slice(at, at + 2);
        if (one !== other && other !== "" && !["09", "90"].includes(one + other))
          expect(isLuhnValid(`${number.slice(0, at)}${other}${one}${number.slice(at + 2)}`)).toBe(false);
      }),
    );
  });

  it("that is refused leaves no digit of itself in the error, at the places the caller named", () => {
    fc.assert(
      fc.property(digits(13, 19), digits(3, 4), (number, cvc) => {
        try {
          checkCard({ number, expiry: "01/20", cvc }, AT, { number: "/card_number", expiry: "/card_expiry", cvc: "/card_cvc" });
        } catch (error) {
          const { message, details } = error as { message: string; details: Record<string, string> };
          expect(["/card_number", "/card_expiry"]).toContain(details["pointer"]);
          expect(`${message}${JSON.stringify(details)}`).not.toContain(number);
          expect(`${message}${JSON.stringify(details)}`).not.toContain(cvc);
          return;
        }
        throw new Error("an expired card was accepted");
      }),
    );
  });

  it.each([
    ["4111111111111111", "visa"],
    ["5555555555554444", "mastercard"],
    ["2223003122003222", "mastercard"],
    ["2200000000000004", "mir"],
    ["2204999999999999", "mir"],
    ["2205000000000000", "unknown"],
    ["378282246310005", "amex"],
    ["3566002020360505", "jcb"],
    ["30569309025904", "diners"],
    ["6011111111111117", "discover"],
    ["6200000000000005", "unionpay"],
    ["5018000000000009", "maestro"],
    ["1234567890123456", "unknown"],
  ])("%s is of the brand %s", (number, brand) => {
    expect(brandOf(number)).toBe(brand);
  });
});

describe("free text", () => {
  it.each([
    "4111111111111111",
    "card4111111111111111x",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111\u00a01111\u20131111\t1111",
    "４１１１１１１１１１１１１１１１",
    "paid with 4111 1111 1111 1111, 12/28 123",
    "4111 1111 1111 1111 12 28 123",
    "order 15 4111 1111 1111 1111",
    "3782 822463 10005",
    "5555 5555 5555 4444 and again",
    "8600000000000007",
    "9704000000000000016",
    "4111.1111.1111.1111",
    "4111_1111_1111_1111",
    "4111/1111/1111/1111",
    "4111\u200b1111\u200b1111\u200b1111",
    "٤١١١١١١١١١١١١١١١",
    "४१११ ११११ ११११ ११११",
    "00004111111111111111",
    "000 4111 1111 1111 1111",
  ])("%j holds what looks like a card number", (text) => {
    expect(looksLikeCardNumber(text)).toBe(true);
  });

  it.each([
    "",
    "order 42 of 2026-11-21 15:04:05",
    "4111111111111112",
    "40817810099910004312",
    "+7 916 123-45-67",
    "4111 1111 1111",
    "000000000000",
    "0191d5b4-7c0e-7a5e-9d5a-1f2e3d4c5b6a",
    "4111 1111 and 1111 1111",
    "sums 100.00 200.00 300.04 and 12.50",
    "00000000000000000000",
    "9999999999999995",
    "the phone's IMEI 490154203237518, and 35-209900-176148-1",
    "860461041234561 is another's",
    "invoice 1000000000000008 of 2026",
    "https://shop.example/orders/1763720640103?ns=1763720640103000003",
    "20261121150407",
    "450000000000005 has 15 digits, a Visa 13, 16 or 19",
    "4f0e9a4b-4111-1111-1111-111111111ac0",
  ])("%j does not", (text) => {
    expect(looksLikeCardNumber(text)).toBe(false);
  });

  it("with digits of a time, an IMEI or an invoice is free of cards in every case, whether they pass Luhn or not", () => {
    const at = Date.parse("2026-11-21T08:00:00Z");
    const passing = new Set<string>();
    for (let n = 0; n < 1_000; n += 1)
      for (const [kind, number] of [
        ["a time in ms", String(at + n)],
        ["a time in us", String((at + n) * 1_000 + n)],
        ["a time in ns", `${at + n}${String(n * 7).padStart(6, "0")}`],
        ["an IMEI", `35${String(693_803_564_000 + n)}`],
        ["an invoice", `1000${String(n).padStart(12, "0")}`],
      ] as const) {
        const text = kind === "an IMEI" ? withCheckDigit(number) : number;
        if (isLuhnValid(text)) passing.add(kind);
        expect([kind, text, looksLikeCardNumber(`${text}: see it`)]).toEqual([kind, text, false]);
      }
    expect(passing.size).toBe(5);
  });

  it("with a card's number is found wherever it stands, however it is grouped", () => {
    const separator = fc.constantFrom("", " ", "-", "  ", " - ");
    const start = fc.constantFrom(
      ["4", 16],
      ["4", 19],
      ["51", 16],
      ["37", 15],
      ["36", 14],
      ["3530", 16],
      ["2202", 16],
      ["62", 19],
      ["9860", 16],
    );
    fc.assert(
      fc.property(start, digits(19, 19), separator, fc.integer({ min: 2, max: 6 }), ([prefix, length], rest, between, size) => {
        const number = withCheckDigit(`${prefix}${rest}`.slice(0, length - 1));
        const grouped = number.match(new RegExp(`.{1,${size}}`, "g"))?.join(between) ?? "";
        for (const text of [grouped, `paid by ${grouped}.`, `№:${grouped}, 12/28`, `order 15, ${grouped}`, `1 ${number}`])
          expect([text, looksLikeCardNumber(text)]).toEqual([text, true]);
      }),
    );
  });

  it("is masked with every number of 13 to 19 digits that passes Luhn, of a brand or not, however it is grouped", () => {
    const separator = fc.constantFrom("", " ", "-", "  ", " - ");
    fc.assert(
      fc.property(
        luhnValid(13, 19),
        separator,
        fc.integer({ min: 2, max: 6 }),
        fc.constantFrom("", "paid by ", "№:"),
        (number, between, size, before) => {
          const grouped = number.match(new RegExp(`.{1,${size}}`, "g"))?.join(between) ?? "";
          expect(maskDigits(`${before}${grouped}.`)).toBe(`${before}****${number.slice(-4)}.`);
        },
      ),
    );
  });

  it("is masked only where a card number stands", () => {
    expect(maskDigits("order 15, card 4111 1111 1111 1111, then 5555555555554444!")).toBe("order 15, card ****1111, then ****4444!");
    expect(maskDigits("card ٤١١١.١١١١.١١١١.١١١١")).toBe("card ****1111");
    expect(maskDigits("№ 42, order 12345")).toBe("№ 42, order 12345");
  });

  it.each([
    ["in JSON's escapes", String.raw`\u0034\u0031\u0031\u0031111111111111`, "****1111"],
    ["with escaped ends of lines", String.raw`4111\n1111\r\n1111\t1111`, "****1111"],
    [
      "in escapes of other scripts",
      Array.from("4111111111111111").map((digit) => String.raw`\ud835\u` + (0xdfce + Number(digit)).toString(16)),
      "****1111",
    ],
    ["with combining marks", Array.from("4111111111111111").map((digit) => `${digit}\u0301`), "****1111\u0301"],
    ["with many spaces", "4111    1111    1111    1111", "****1111"],
    ["with many underscores", "4111____1111____1111____1111", "****1111"],
    ["in a list", "4111, 1111, 1111, 1111", "****1111"],
    ["in columns", "4111|1111|1111|1111", "****1111"],
    ["in brackets", "(4111)(1111)(1111)(1111)", "(****1111)"],
    ["of three groups, in a list", "3782,822463,10005", "****0005"],
    ["digit by digit in a list", `[${Array.from("4111111111111111").join(",")}]`, "[****1111]"],
    ["with a NUL after each digit", Array.from("4111111111111111").map((digit) => `${digit}\x00`), "****1111\x00"],
    ["after a list", "3,0,4111 1111 1111 1111", "3,0,****1111"],
  ])("is masked with a card number %s", (_, text, masked) => {
    const written = typeof text === "string" ? text : text.join("");
    expect(maskDigits(`№ {"a":"${written}"} №`)).toBe(`№ {"a":"${masked}"} №`);
  });

  it.each([
    "1203,2023-01-05,4500,1203,15",
    "5500, 2000, 3000, 1000, 4",
    String.raw`C:\users\u0041\4111`,
    String.raw`{"at":"2026-11-21T10:00:00Z","sums":["100.50","4000.00"],"text":"\u0034 of 5"}`,
  ])("%j is shown as it is", (text) => {
    expect(maskDigits(text)).toBe(text);
  });

  it("is refused in escapes as well", () => {
    const escaped = String.raw`{"card":"\u0034111 1111\n1111 1111"}`;
    expect(looksLikeCardNumber(escaped)).toBe(true);
  });

  it("that was cut off ends before the digits that may be a card's first", () => {
    for (const [text, kept] of [
      ["card 4111/1111/1111/", "card "],
      ["card 4111.1111.1111.", "card "],
      ["card 4111 1111 1111 11", "card "],
      ["card ٤١١١ ١١١١ ١١١", "card "],
      ["card ４１１１", "card "],
      [String.raw`card \u0034\u0031111\n1111 \u00`, "card "],
      [String.raw`card \u0034`, "card "],
      ["1234 card 4111 x", "1234 card 4111 x"],
      ["sum 5", "sum "],
      ["9".repeat(40), "9".repeat(22)],
      [String.raw`a \u00`, String.raw`a \u00`],
    ] as const)
      expect(withoutCutNumber(text), text).toBe(kept);
  });

  // A bound so generous that only work beyond the digits themselves breaks it: an eighth of a second was seven seconds once.
  it.each(["1 ", "0 ", "11-", "4 0 ", "1\0", "1,", String.raw`\u0031`, "1\u200b\u200b\u200b"])(
    "of 128 KiB of %j is read without more work than it has digits",
    (part) => {
      const text = part.repeat(Math.ceil(131_072 / part.length));
      expect(cpuMsOf(() => void maskDigits(text))).toBeLessThan(3_000);
    },
  );
});

describe("an id", () => {
  it("keeps the digits of a number that is of no brand, whether it passes for a card's or not", () => {
    for (const id of ["atk1763720640103S", "1763720640103", "1763720640103000003"]) expect(maskCardsOfABrand(id)).toBe(id);
    expect(isLuhnValid("1763720640103")).toBe(true);
    expect(maskCardsOfABrand("pay-4111111111111111-2")).toBe("pay-****1111-2");
  });
});
