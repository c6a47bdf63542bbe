import { expect, it } from "vitest";
import type { OrderTransition } from "../../store/orders/order-story.ts";
import { createOrderNews } from "./order-news.ts";

const transition = (version: bigint): OrderTransition => ({
  version,
  sagaState: "STARTED",
  status: "PENDING",
  at: new Date(0),
  failureCode: null,
  failureMessage: null,
});

it("streams of one order share a look, and each gets what is new to it", async () => {
  const reads: [string, bigint][] = [];
  const news = createOrderNews(async (orderId, afterVersion) => {
    reads.push([orderId, afterVersion]);
    return [1n, 2n, 3n].filter((version) => version > afterVersion).map(transition);
  }, 5);
  const versions = async (orderId: string, after: bigint) => (await news(orderId, after)).map(({ version }) => version);
  const answers = await Promise.all([versions("a", 2n), versions("a", 0n), versions("a", 3n), versions("b", 1n)]);
  expect(answers).toEqual([[3n], [1n, 2n, 3n], [], [2n, 3n]]);
  expect(reads).toEqual([
    ["a", 0n],
    ["b", 1n],
  ]);
  expect(await versions("a", 2n)).toEqual([3n]);
  expect(reads).toHaveLength(3);
});
