import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printable, printableLines } from "./printable.ts";

describe("text of others on a terminal", () => {
  it("moves no cursor, has no colours and turns no direction", () => {
    expect(printable("a\u001b[2J\u009b31m\r\n\tb\u202ec\u200bd\u{e0001}e\u2028f\u007f")).toBe(
      String.raw`a\u001b[2J\u009b31m\u000d\u000a\u0009b\u202ec\u200bd\udb40\udc01e\u2028f\u007f`,
    );
    expect(printable("№ 5: über 日本 😀")).toBe("№ 5: über 日本 😀");
  });

  it("keeps its lines and tabs where it may have some", () => {
    expect(printableLines("{\n\t\u001b\r\n}")).toBe(`{\n\t${String.raw`\u001b\u000d`}\n}`);
  });

  it("that is JSON says the same as before", () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: "binary" }), (json) => {
        const shown = printableLines(json);
        expect(JSON.parse(shown)).toEqual(JSON.parse(json));
        expect(shown).not.toMatch(/[\p{Cf}\u007f-\u009f]/u);
      }),
    );
  });
});
