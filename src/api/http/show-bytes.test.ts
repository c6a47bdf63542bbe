import { describe, expect, it } from "vitest";
import { showBytes } from "./show-bytes.ts";

const CARD = "4111 1111 1111 1111";
const MAX_BYTES = 65_536;
const FULL_WIDTH = "４１１１１１１１１１１１１１１１";

/** What a person reads in it, and the digits of any card left in it. */
function shown(bytes: Buffer, encoding: "utf-8" | "base64" = "base64", truncated = false) {
  const { text, ...about } = showBytes(bytes, truncated);
  expect(about).toEqual({ encoding, truncated, masked: true });
  return encoding === "utf-8" ? text : Buffer.from(text, "base64");
}

describe("bytes, as they are shown", () => {
  it("keep everything around a card number", () => {
    expect(shown(Buffer.from(String.raw`{"№":"\u0034111\n1111\t1111 1111","b":"\n"}`), "utf-8")).toBe(
      String.raw`{"№":"****1111","b":"\n"}`,
    );
  });

  it("have no card number in UTF-16, of either order, with or without a mark", () => {
    for (const number of [CARD, "4111111111111111", FULL_WIDTH, String.raw`\u0034111 1111 1111 1111`]) {
      const little = Buffer.from(`\ufeff{"a":"${number}","b":1}`, "utf16le");
      expect(new TextDecoder("utf-16le").decode(shown(little) as Buffer), number).toContain('{"a":"****1111","b":1}');
      const big = Buffer.from(little).swap16();
      expect(new TextDecoder("utf-16be").decode(shown(big) as Buffer), number).toContain('{"a":"****1111","b":1}');
    }
    expect(shown(Buffer.from(CARD, "utf16le"), "utf-8").toString().replaceAll("\0", "")).toBe("****1111");
    expect(shown(Buffer.concat([Buffer.from([0xff]), Buffer.from(CARD, "utf16le").swap16()])).includes("4")).toBe(false);
  });

  it("have none where only a part of them is UTF-8", () => {
    for (const number of [CARD, FULL_WIDTH, "4111\u00a01111\u00a01111\u00a01111", "٤١١١١١١١١١١١١١١١"])
      expect(shown(Buffer.concat([Buffer.from([0xff, 0x20]), Buffer.from(`${number}!`)])).toString("utf8"), number).toMatch(/ \*{4}1111!$/);
  });

  it("end before what may be the first digits of one, where they are cut off", () => {
    for (const [first, rest] of [
      ["4111/1111/1111/", "1111"],
      ["4111.1111.1111.", "1111"],
      ["４１１１１１１", "１１１１１１１１１"],
      [String.raw`\u0034\u0031\u0031\u0`, "031111111111111"],
    ] as const) {
      const begin = "x".repeat(MAX_BYTES - Buffer.byteLength(first));
      const bytes = Buffer.from(begin + first + rest).subarray(0, MAX_BYTES);
      expect(showBytes(bytes, true), first).toEqual({ encoding: "utf-8", text: begin, truncated: true, masked: false });
      const binary = Buffer.concat([Buffer.from([0xff]), bytes]);
      const read = Buffer.from(showBytes(binary, true).text, "base64").toString("utf8");
      expect(read.slice(1), first).toBe(begin);
    }
  });

  it("stay as they are without one, whatever they are", () => {
    for (const text of ["", "№ 12 of 5, ½", '{"a":"\u0000"}'])
      expect(showBytes(Buffer.from(text), false)).toMatchObject({ text, masked: false });
    const binary = Buffer.from(Array.from({ length: 256 }, (_, place) => place));
    expect(showBytes(binary, false)).toMatchObject({ encoding: "base64", text: binary.toString("base64"), masked: false });
  });
});
