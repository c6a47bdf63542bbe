import { expect, test } from "vitest";
import { createCachedBalanceCheck } from "./cached-balances.ts";

const lines: string[] = [];
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: (_fields: object, words: string) => void lines.push(words) };

test("a cached balance that was wrong and is dropped is a repaired finding with both figures, and an error in the log", async () => {
  const wrong = [{ userId: "ann", cached: "7 RUB 900 0", books: "7 RUB 100 0" }];
  const { checkCachedBalances } = createCachedBalanceCheck({ logger, compareCachedBalances: async () => ({ checked: 3, wrong }) });
  const words = 'the cache had "7 RUB 900 0" of ann and the books "7 RUB 100 0"; it was dropped';
  expect(await checkCachedBalances()).toMatchObject({
    check: "cached-balances",
    checked: "3",
    broken: "0",
    repaired: "1",
    examples: [words],
  });
  expect(lines).toEqual([words]);
});

test("without a cache there is nothing to check", async () => {
  expect(await createCachedBalanceCheck({ logger }).checkCachedBalances()).toMatchObject({ checked: "0", broken: "0", repaired: "0" });
});
