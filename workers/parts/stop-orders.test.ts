import { expect, test } from "vitest";
import { createStopOrders } from "./stop-orders.ts";

test("the first order aborts, its repetition within half a second is the same order, and a later one is one more", () => {
  let nowMs = 1_000;
  const orders = createStopOrders(() => nowMs);
  expect(orders.signal.aborted).toBe(false);
  expect(orders.take()).toBe("first");
  expect(orders.signal.aborted).toBe(true);
  nowMs += 499;
  expect(orders.take()).toBe("same");
  nowMs += 1;
  expect(orders.take()).toBe("more");
});
