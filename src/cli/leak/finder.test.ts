import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createNumberFinder, createTextFinder } from "./finder.ts";

const NUMBER = "4716108999716531";
const finder = createNumberFinder(NUMBER);

describe("a number", () => {
  it.each([
    ["plain", "4716108999716531"],
    ["plain", '{"card":"4716108999716531"}'],
    ["spaced", "4716 1089 9971 6531"],
    ["spaced", "4716%201089%209971%206531"],
    ["spaced", "47 1610 8999 716531"],
    ["dashed", "4716-1089-9971-6531"],
    ["base64", Buffer.from(NUMBER).toString("base64")],
    ["base64", Buffer.from("4716 1089 9971 6531").toString("base64url")],
    ["base64", Buffer.from(`{"n":"${NUMBER}"}`).toString("base64")],
    ["hex", Buffer.from(NUMBER).toString("hex")],
    ["hex", `\\x${Buffer.from("4716-1089-9971-6531").toString("hex").toUpperCase()}`],
  ])("is found %s in %j, as text and as bytes", (spelling, text) => {
    expect(finder.find(text)).toBe(spelling);
    expect(finder.find(Buffer.from(text))).toBe(spelling);
    expect(finder.find(new TextEncoder().encode(`\u0000é${text}`))).toBe(spelling);
  });

  it("is not found in other numbers", () => {
    for (const text of ["", "4716108999716532", "4716 1089 9971", "****6531", NUMBER.split("").toReversed().join("")])
      expect(finder.find(text), text).toBeUndefined();
  });

  it("is taken with spaces and dashes", () => {
    expect(createNumberFinder("4716 1089-99716531").find(NUMBER)).toBe("plain");
  });

  it("is masked wherever a report would name it", () => {
    expect(finder.mask(`key ${NUMBER} and 4716-1089-9971-6531!`)).toBe("key **** and ****!");
  });
});

describe("any text", () => {
  it("is found in each of its spellings, wherever it stands in what is encoded", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, maxLength: 60, unit: "grapheme-ascii" }),
        fc.string({ maxLength: 9 }),
        fc.string({ maxLength: 9 }),
        (secret, before, after) => {
          const any = createTextFinder(secret);
          const around = Buffer.from(before + secret + after);
          expect(any.find(around)).toBeDefined();
          expect(any.find(around.toString("base64"))).toBeDefined();
          expect(any.find(around.toString("hex"))).toBeDefined();
          expect(any.mask(before + secret + after)).not.toContain(secret);
        },
      ),
    );
  });
});
