import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpuMsOf } from "../../test/support/cpu-time.ts";
import { codeOf } from "./errors.ts";
import { isRawNumber, MAX_JSON_DEPTH, MAX_JSON_MEMBERS, parseJsonKeepingNumbers } from "./raw-json.ts";

function codeFor(text: string): string {
  try {
    parseJsonKeepingNumbers(text);
    return "accepted";
  } catch (error) {
    return codeOf(error);
  }
}

function withFloats(value: unknown): unknown {
  if (isRawNumber(value)) return Number(value.raw);
  if (Array.isArray(value)) return value.map(withFloats);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withFloats(member)]));
}

describe("parseJsonKeepingNumbers", () => {
  test.each(["100.10", "0", "-0", "1e3", "123456789012345678901234567890.12", "-1.5E-7"])(
    "keeps the digits of %s as they were written",
    (raw) => {
      const value = parseJsonKeepingNumbers(`{"amount": ${raw}}`) as { amount: unknown };
      expect(isRawNumber(value.amount) && value.amount.raw).toBe(raw);
    },
  );

  test("reads what JSON.parse reads, to the same values", () => {
    const forbidden = /__proto__|constructor|prototype|\\u0000|\0|\\ud[89a-f]/;
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(undefined, 1, "\t"), (text, space) => {
        fc.pre(!forbidden.test(text));
        const spaced = JSON.stringify(JSON.parse(text), undefined, space);
        expect(withFloats(parseJsonKeepingNumbers(spaced))).toEqual(JSON.parse(spaced));
      }),
    );
  });

  test("refuses what JSON.parse refuses", () => {
    const pieces = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      '"a"',
      "1",
      "01",
      ".5",
      "1.",
      "-",
      "+1",
      "true",
      "nul",
      "NaN",
      " ",
      "\n",
      "\\",
      "\\x",
      "\u0001",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join("");
        let parsed = true;
        try {
          JSON.parse(text);
        } catch {
          parsed = false;
        }
        if (!parsed) expect(codeFor(text)).toMatch(/MALFORMED_JSON|INVALID_REQUEST/);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["a name that stands twice", '{"a":1,"b":2,"a":3}'],
    ["a name that stands twice, once escaped", '{"a":1,"\\u0061":2}'],
    ["__proto__", '{"__proto__":{"admin":true}}'],
    ["__proto__ written with an escape", '{"\\u005f_proto__":{}}'],
    ["constructor", '{"a":{"constructor":1}}'],
    ["NUL", '{"a":"x\\u0000"}'],
    ["half of a surrogate pair", '{"a":"\\ud83d"}'],
    ["a raw half of a surrogate pair", '{"a":"\ud83d"}'],
    ["nesting that is too deep", "[".repeat(MAX_JSON_DEPTH + 1)],
    ["too many members", `[${"1,".repeat(MAX_JSON_MEMBERS)}1]`],
  ])("refuses %s", (_what, text) => {
    expect(codeFor(text)).toBe("INVALID_REQUEST");
  });

  test("takes a whole surrogate pair, escaped or not", () => {
    expect(parseJsonKeepingNumbers('["\\ud83d\\ude00","😀"]')).toEqual(["😀", "😀"]);
  });

  test("refuses a hostile text fast", () => {
    const wide = `{${Array.from({ length: 100_000 }, (_, n) => `"k${n}":1`).join(",")}}`;
    const cpuMs = cpuMsOf(() => {
      expect(codeFor("[".repeat(1_000_000))).toBe("INVALID_REQUEST");
      expect(codeFor(wide)).toBe("INVALID_REQUEST");
    });
    expect(cpuMs).toBeLessThan(500);
  });
});
