import { describe, expect, it } from "vitest";
import { orderStatusQuery } from "../../src/contract/orders.ts";
import { deferred } from "../../test/support/deferred.ts";
import { repeat, type Behaviour, type Script, type Step } from "../../test/support/fake-page.ts";
import {
  COMPLETED,
  FAST,
  FUNDS,
  NEVER_CREATED,
  NEVER_HELD,
  UNDONE,
  UNDO_STEPS,
  expectDefiniteEnd,
  newOrder,
  outcomeOf,
  refused,
  startTogether,
  useOrderServer,
} from "../../test/support/skipped-orders.ts";

const { useWorker } = useOrderServer();

/** How an order must end: with which failure, or completed, and after how many calls of the steps that matter. */
interface Case {
  readonly name: string;
  readonly script: Script;
  readonly fundsMinor?: bigint;
  readonly failureCode?: string;
  readonly calls: Partial<Record<Step, number>>;
  readonly effects: readonly string[];
}

const FORWARD: readonly Case[] = [
  { name: "nothing goes wrong", script: {}, calls: { createOrder: 1, holdOrder: 1, captureOrder: 1 }, effects: COMPLETED },
  { name: "createOrder is away twice", script: { createOrder: repeat("away", 2) }, calls: { createOrder: 3 }, effects: COMPLETED },
  {
    name: "createOrder answers at the last try",
    script: { createOrder: repeat("away", 3) },
    calls: { createOrder: FAST },
    effects: COMPLETED,
  },
  {
    name: "createOrder stays away",
    script: { createOrder: repeat("away", 9) },
    failureCode: "UNAVAILABLE",
    calls: { createOrder: FAST, holdOrder: 0 },
    effects: NEVER_CREATED,
  },
  {
    name: "createOrder is refused",
    script: { createOrder: [refused("INVALID_AMOUNT")] },
    failureCode: "INVALID_AMOUNT",
    calls: { createOrder: 1 },
    effects: NEVER_CREATED,
  },
  {
    name: "createOrder has a bug",
    script: { createOrder: repeat("broken", 9) },
    failureCode: "INTERNAL",
    calls: { createOrder: FAST },
    effects: NEVER_CREATED,
  },
  { name: "createOrder's answer is lost once", script: { createOrder: ["lost"] }, calls: { createOrder: 2 }, effects: COMPLETED },
  {
    name: "createOrder's answers are all lost",
    script: { createOrder: repeat("lost", 9) },
    failureCode: "UNAVAILABLE",
    calls: { createOrder: FAST },
    effects: NEVER_HELD,
  },
  { name: "holdOrder is away twice", script: { holdOrder: repeat("away", 2) }, calls: { holdOrder: 3 }, effects: COMPLETED },
  {
    name: "holdOrder stays away",
    script: { holdOrder: repeat("away", 9) },
    failureCode: "UNAVAILABLE",
    calls: { holdOrder: FAST, captureOrder: 0 },
    effects: NEVER_HELD,
  },
  {
    name: "the money does not suffice",
    script: {},
    fundsMinor: FUNDS - 1n,
    failureCode: "INSUFFICIENT_FUNDS",
    calls: { holdOrder: 1 },
    effects: NEVER_HELD,
  },
  {
    name: "holdOrder has a bug",
    script: { holdOrder: repeat("broken", 9) },
    failureCode: "INTERNAL",
    calls: { holdOrder: FAST },
    effects: NEVER_HELD,
  },
  { name: "holdOrder's answer is lost once", script: { holdOrder: ["lost"] }, calls: { holdOrder: 2 }, effects: COMPLETED },
  {
    name: "holdOrder's answers are all lost",
    script: { holdOrder: repeat("lost", 9) },
    failureCode: "UNAVAILABLE",
    calls: { holdOrder: FAST, captureOrder: 0 },
    effects: UNDONE,
  },
  { name: "captureOrder is away twice", script: { captureOrder: repeat("away", 2) }, calls: { captureOrder: 3 }, effects: COMPLETED },
  {
    name: "captureOrder is away past its fast retries",
    script: { captureOrder: repeat("away", 5) },
    calls: { captureOrder: 6 },
    effects: COMPLETED,
  },
  { name: "captureOrder's answer is lost once", script: { captureOrder: ["lost"] }, calls: { captureOrder: 2 }, effects: COMPLETED },
  {
    name: "captureOrder's answers are lost past its fast retries",
    script: { captureOrder: repeat("lost", 5) },
    calls: { captureOrder: 6 },
    effects: COMPLETED,
  },
  {
    name: "captureOrder is refused",
    script: { captureOrder: [refused("RESERVATION_EXPIRED")] },
    failureCode: "RESERVATION_EXPIRED",
    calls: {},
    effects: UNDONE,
  },
  {
    name: "captureOrder is away past its fast retries and then refused",
    script: { captureOrder: [...repeat("away", 5), refused("RESERVATION_EXPIRED")] },
    failureCode: "RESERVATION_EXPIRED",
    calls: {},
    effects: UNDONE,
  },
];

/** What can lead into the compensation; `UNDO_FAULTS` are what can go wrong within it. */
const LEADS: Readonly<Record<string, Script>> = {
  "a refused capture": { captureOrder: [refused("RESERVATION_EXPIRED")] },
  "a hold whose answers were lost": { holdOrder: repeat("lost", FAST) },
};
const UNDO_FAULTS: Readonly<Record<string, readonly Behaviour[]>> = {
  "is away twice": repeat("away", 2),
  "is away past its fast retries": repeat("away", 5),
  "loses its answer": ["lost"],
  "loses its answers past its fast retries": repeat("lost", 5),
  "has a bug that is mended": repeat("broken", 5),
};
const COMPENSATION: readonly Case[] = Object.entries(LEADS).flatMap(([lead, script]) =>
  UNDO_STEPS.flatMap((step) =>
    Object.entries(UNDO_FAULTS).map(([fault, behaviours]) => ({
      name: `${step} ${fault} after ${lead}`,
      script: { ...script, [step]: behaviours },
      failureCode: lead === "a refused capture" ? "RESERVATION_EXPIRED" : "UNAVAILABLE",
      calls: { [step]: behaviours.length + 1 },
      effects: UNDONE,
    })),
  ),
);

describe.each([{ cacheSize: 100 }, { cacheSize: 0 }])("the order saga with $cacheSize workflows kept in memory", ({ cacheSize }) => {
  const { book, start } = useWorker(cacheSize);

  describe("comes to a definite end when", () => {
    const cases = [...FORWARD, ...COMPENSATION];
    const runs = startTogether(cases, async ({ script, fundsMinor }) => {
      const order = newOrder();
      const page = book.open(order.orderId, { fundsMinor: fundsMinor ?? FUNDS, script });
      return { page, outcome: await outcomeOf(await start(order)) };
    });

    it.each(cases)("$name", async (one) => {
      const { fundsMinor, failureCode, calls, effects } = one;
      const { page, outcome } = await runs(one);
      expectDefiniteEnd(page, outcome, fundsMinor);
      expect(outcome.sagaState).toBe(failureCode === undefined ? "COMPLETED" : "FAILED");
      expect(outcome.failureCode).toBe(failureCode);
      expect(page.effects).toEqual(effects);
      for (const [step, count] of Object.entries(calls)) expect(page.calls[step as Step] ?? 0, step).toBe(count);
    });
  });

  it("tells its step to who asks, while it runs and after its end", async () => {
    const order = newOrder();
    const reached = deferred();
    const page = book.open(order.orderId, {
      fundsMinor: FUNDS,
      script: {
        captureOrder: [
          ...repeat("away", FAST),
          async () => {
            reached.resolve();
            await released.promise;
          },
        ],
      },
    });
    const released = deferred();
    const handle = await start(order);
    await reached.promise;
    expect(await handle.query(orderStatusQuery)).toMatchObject({
      sagaState: "PAYMENT_PENDING",
      status: "PENDING",
      step: "capture the money",
      stuck: "capture the money",
      possibleActs: ["retry"],
    });
    released.resolve();
    expectDefiniteEnd(page, await outcomeOf(handle));
    expect(await handle.query(orderStatusQuery)).toMatchObject({ sagaState: "COMPLETED", status: "CONFIRMED", step: "ended" });
  });
});
