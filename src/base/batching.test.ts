import { describe, expect, test } from "vitest";
import { createBatcher } from "./batching.ts";

/** Runs that end when they are told to, with ten times what was asked. */
function heldRuns(options: { maxBatch: number; parallel: number }) {
  const started: (readonly number[])[] = [];
  const waiting: (() => void)[] = [];
  const ask = createBatcher<number, number>({
    ...options,
    run: async (inputs) => {
      started.push(inputs);
      await new Promise<void>((resolve) => waiting.push(resolve));
      return inputs.map((input) => input * 10);
    },
  });
  return { ask, started, endOne: () => waiting.shift()?.() };
}

const nextTurn = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe("callers of one moment", () => {
  test("share one run, and each gets their own answer", async () => {
    const { ask, started, endOne } = heldRuns({ maxBatch: 10, parallel: 2 });
    const answers = Promise.all([3, 1, 2, 1].map(ask));
    await nextTurn();
    endOne();
    expect(await answers).toEqual([30, 10, 20, 10]);
    expect(started).toEqual([[3, 1, 2, 1]]);
  });

  test("are divided where they are more than a run takes, in the order they asked", async () => {
    const { ask, started, endOne } = heldRuns({ maxBatch: 2, parallel: 5 });
    const answers = Promise.all([1, 2, 3, 4, 5].map(ask));
    await nextTurn();
    expect(started).toEqual([[1, 2], [3, 4], [5]]);
    for (let run = 0; run < 3; run += 1) endOne();
    expect(await answers).toEqual([10, 20, 30, 40, 50]);
  });
});

test("who asks while a run is under way gets a later one; no more run at once than may", async () => {
  const { ask, started, endOne } = heldRuns({ maxBatch: 10, parallel: 2 });
  const answers: Promise<number>[] = [];
  for (const input of [1, 2, 3, 4]) {
    answers.push(ask(input));
    await nextTurn();
  }
  expect(started).toEqual([[1], [2]]);
  endOne();
  await nextTurn();
  expect(started).toEqual([[1], [2], [3, 4]]);
  endOne();
  endOne();
  expect(await Promise.all(answers)).toEqual([10, 20, 30, 40]);
});

test("a run that fails, or answers too few, fails its callers and no later ones", async () => {
  let answer: (inputs: readonly number[]) => readonly number[] = () => {
    throw new Error("gone");
  };
  const ask = createBatcher<number, number>({ maxBatch: 10, parallel: 1, run: async (inputs) => answer(inputs) });
  const failed = await Promise.allSettled([ask(1), ask(2)]);
  expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  answer = () => [1];
  await expect(Promise.all([ask(1), ask(2)])).rejects.toThrow("1 answers were given to 2 callers");
  answer = (inputs) => inputs;
  expect(await ask(3)).toBe(3);
});
