import { expect, it } from "vitest";
import { learn, type Gate, type KnownGate } from "../../domain/balances/cache-gate.ts";
import type { CacheGate } from "./cache-gate.ts";
import type { GateRow } from "./gate-row.ts";
import { keepCacheOpen } from "./open-cache.ts";

const TIMES = { readLeaseMs: 10, decisionMs: 10, commitMs: 10 };

/** The states of the gate at each of `looks` looks; an older release is there at those of `shared`. */
async function statesOver(looks: number, shared: ReadonlySet<number>): Promise<string[]> {
  const states: string[] = [];
  let row: Gate = { epoch: 0, state: "closed", reign: "" };
  let known: KnownGate | undefined;
  let nowMs = 0;
  const ending = new AbortController();
  const take = (gate: Gate, askedAtMs: number): KnownGate => (known = learn(known, gate, { askedAtMs, nowMs }));
  const gate = {
    ask: async () => take(row, nowMs),
    learn: take,
    close: async (epoch: number) => {
      if (row.epoch === epoch) row = { ...row, epoch: epoch + 1, state: "closed" };
      return take(row, nowMs);
    },
  } as unknown as CacheGate;
  const gateRow: Partial<GateRow> = {
    beginOpening: async (epoch, reign) => (row = { epoch: epoch + 1, state: "opening", reign }),
    open: async () => (row = { ...row, state: "open" }),
    hasOlderRelease: async () => shared.has(states.length),
  };
  const clock = {
    nowMs: () => nowMs,
    sleep: async (ms: number) => {
      states.push(row.state);
      nowMs += ms;
      if (states.length === looks) ending.abort();
    },
  };
  const marks = { isUp: () => true, raise: async () => "reign" };
  const log = { debug: () => {}, info: () => {}, warn: () => {} };
  await keepCacheOpen({ gate, row: gateRow as GateRow, marks, times: TIMES, clock, everyMs: 30, steadyMs: 20, log }, ending.signal);
  return states;
}

it("the cache is opened when Redis has been up for a while", async () => {
  expect(await statesOver(4, new Set())).toEqual(["closed", "opening", "open", "open"]);
});

it("the cache is not opened while an older release is there, and closed as soon as one comes", async () => {
  expect(await statesOver(6, new Set([0, 1, 2]))).toEqual(["closed", "closed", "closed", "closed", "opening", "open"]);
  expect((await statesOver(6, new Set([4, 5]))).slice(2)).toEqual(["open", "open", "closed", "closed"]);
});
