import { expect, it } from "vitest";
import { sendSteadily } from "./steady-load.ts";

interface Sent {
  readonly atMs: number;
  readonly from: number;
  readonly count: number;
}

async function run(load: { rate: number; total: number; sendMs?: (from: number) => number }): Promise<Sent[]> {
  const sent: Sent[] = [];
  let clockMs = 0;
  await sendSteadily({
    ...load,
    nowMs: () => clockMs,
    pause: async (ms) => void (clockMs += ms),
    send: async (from, count) => {
      sent.push({ atMs: clockMs, from, count });
      clockMs += load.sendMs?.(from) ?? 0;
    },
  });
  return sent;
}

it("sends every number once, in order, spread over the time", async () => {
  const sent = await run({ rate: 300, total: 900 });
  expect(sent.flatMap(({ from, count }) => Array.from({ length: count }, (_, place) => from + place))).toEqual(
    Array.from({ length: 900 }, (_, number) => number),
  );
  expect(Math.max(...sent.map(({ count }) => count))).toBeLessThanOrEqual(16);
  expect(sent.at(-1)?.atMs).toBeGreaterThan(2_800);
});

it("makes up for a send that took long, a thousand at a time", async () => {
  const sent = await run({ rate: 300, total: 6_000, sendMs: (from) => (from === 15 ? 10_000 : 0) });
  expect(sent.slice(2, 5).map(({ atMs, count }) => [atMs, count])).toEqual([
    [10_100, 1_000],
    [10_100, 1_000],
    [10_100, 1_000],
  ]);
  expect(sent.at(-1)?.atMs).toBeLessThan(20_000);
});
