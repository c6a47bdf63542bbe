import { describe, expect, it } from "vitest";
import { foreignWords } from "./foreign-words.ts";

describe("words of another service", () => {
  it("stand on one line without what does not print", () => {
    expect(foreignWords("no\u0007 funds\r\n\u001b[31mred \u202Eturned\u2028here\ud83d")).toBe("no  funds [31mred  turned here");
    expect(foreignWords("Недостаточно средств 💸")).toBe("Недостаточно средств 💸");
  });

  it("show no card's number, also one with invisible characters in it", () => {
    for (const [word, between] of [
      ["41111111\u000711111111", "one"],
      [`4111${"\u200b".repeat(9)}1111${"\u0001".repeat(9)}11111111`, "many"],
    ])
      expect(foreignWords(`declined ${word}`), between).toBe("declined ****1111");
    expect(foreignWords("card 4111\u200b1111\u200b1111\u200b1111 is blocked")).toBe("card ****1111 is blocked");
  });

  it("are cut to 200 characters and never in the middle of one", () => {
    expect(foreignWords("💸".repeat(300))).toBe("💸".repeat(200));
  });
});
