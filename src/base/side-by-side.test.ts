import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { sideBySide } from "./side-by-side.ts";

test("each item is worked on once, in the items' order, and never more of them at a time than allowed", async () => {
  const begun: number[] = [];
  let running = 0;
  let mostAtOnce = 0;
  await sideBySide([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    running += 1;
    mostAtOnce = Math.max(mostAtOnce, running);
    await nextTurn();
    running -= 1;
  });
  expect(begun).toEqual([1, 2, 3, 4, 5]);
  expect(mostAtOnce).toBe(2);
});

test("without items there is nothing to do, and what the work throws is thrown", async () => {
  await sideBySide([], 2, async () => expect.unreachable());
  await expect(sideBySide([1], 2, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
});
