import { expect, test } from "vitest";
import { newClusterId } from "./kafka.ts";

test("a cluster's id never begins with a dash, which the formatting tool would take for an option", () => {
  const drawn = [Buffer.alloc(16, 0xfb), Buffer.alloc(16, 0xf8), Buffer.alloc(16, 1)];
  expect(Buffer.alloc(16, 0xf8).toString("base64url")).toMatch(/^-/);
  expect(newClusterId(() => drawn.shift() ?? Buffer.alloc(16))).toBe(Buffer.alloc(16, 1).toString("base64url"));
});
