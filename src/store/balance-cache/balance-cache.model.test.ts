import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ALL_GUARDS,
  runWorld,
  WORLD_MS,
  type Fault,
  type ModelGuards,
  type WorldReport,
} from "../../../test/support/cache-model/cache-world.ts";
import { seededRandom } from "../../cli/kit/seeded-random.ts";

const FAULTS: readonly Fault[] = ["pause", "cut", "restart", "flush", "fail-over", "there-and-back", "stall", "death"];
const worlds = (faults: readonly Fault[]) =>
  fc.record({
    seed: fc.nat(1_000_000),
    faults: fc.array(fc.record({ atMs: fc.nat(WORLD_MS), fault: fc.constantFrom(...faults) }), { maxLength: 8 }),
  });

describe("cached balances in several processes, in virtual time", () => {
  test("no read misses a change that was committed before it began, whatever becomes of Redis and of the processes", async () => {
    const seen: WorldReport[] = [];
    await fc.assert(
      fc.asyncProperty(worlds(FAULTS), async ({ seed, faults }) => {
        const report = await runWorld({ random: seededRandom(seed), faults, guards: ALL_GUARDS });
        seen.push(report);
        expect(report.stale).toEqual([]);
      }),
      { numRuns: 25 },
    );
    // The worlds are no empty ones: the cache was used, and closed and opened.
    const sum = (of: (report: WorldReport) => number) => seen.reduce((total, report) => total + of(report), 0);
    expect(sum(({ cached }) => cached)).toBeGreaterThan(100);
    expect(sum(({ epochs }) => epochs)).toBeGreaterThan(seen.length);
  }, 60_000);

  test("a process that stands still for longer than any statement is told of no change to a client that a later read misses", async () => {
    await fc.assert(
      fc.asyncProperty(worlds(["long-stall", "restart", "flush", "pause"]), async ({ seed, faults }) => {
        expect((await runWorld({ random: seededRandom(seed), faults, guards: ALL_GUARDS })).staleAfterAnswer).toEqual([]);
      }),
      { numRuns: 10 },
    );
  }, 60_000);

  const left: readonly (readonly [string, Partial<ModelGuards>, readonly Fault[]])[] = [
    ["marks", { mark: false }, []],
    ["the reader's token", { token: false }, []],
    ["the bound of a lease", { lease: false }, ["cut"]],
    ["the time of opening", { opening: false }, ["pause", "flush"]],
    ["the closing by a writer that cannot mark", { close: false }, ["fail-over"]],
    ["the reign of Redis", { reign: false }, ["there-and-back", "restart", "fail-over"]],
  ];
  test.each(left)(
    "misses changes without %s",
    async (_what, without, faults) => {
      const found = async (seed: number): Promise<boolean> => {
        const random = seededRandom(seed);
        const planned = faults.flatMap((fault) => [0, 1, 2, 3].map((turn) => ({ atMs: 600 + turn * 900 + random() * 400, fault })));
        const { stale } = await runWorld({ random, faults: planned, guards: { ...ALL_GUARDS, ...without } });
        return stale.length > 0;
      };
      let isFound = false;
      for (let seed = 1; seed <= 30 && !isFound; seed += 1) isFound = await found(seed);
      expect(isFound).toBe(true);
    },
    60_000,
  );
});
