import { describe, expect, it } from "vitest";
import { createReceiverBounds, type Place } from "./receiver-bounds.ts";

function bench() {
  let nowMs = 1_000;
  const bounds = createReceiverBounds({ nowMs: () => nowMs, random: () => 1 });
  const enter = (count: number, webhookId = "w"): Place[] => Array.from({ length: count }, () => bounds.enter(webhookId));
  const leave = (places: readonly Place[]) => {
    for (const place of places) if ("leave" in place) place.leave();
  };
  return {
    enter,
    leave,
    /** Fills the receiver and answers how many places it gave. */
    fill: (tookMs: number): number => {
      const taken = enter(100).filter((place) => "leave" in place);
      nowMs += tookMs;
      leave(taken);
      return taken.length;
    },
    later: (ms: number) => {
      nowMs += ms;
    },
  };
}
const waitsOf = (places: readonly Place[]) => places.flatMap((place) => ("waitMs" in place ? place.waitMs : []));

describe("the bounds of attempts at receivers", () => {
  it("let a prompt receiver hold ever more places up to a limit, and a slow or silent one few again", () => {
    const { fill } = bench();
    expect([fill(10_000), fill(10_000)]).toEqual([5, 5]);
    expect([fill(20), fill(20), fill(20), fill(20)]).toEqual([5, 10, 20, 20]);
    expect([fill(2_100), fill(2_100)]).toEqual([20, 5]);
  });

  it("are each receiver's own", () => {
    const { enter } = bench();
    expect(waitsOf(enter(10, "silent"))).toHaveLength(5);
    expect(waitsOf(enter(5, "other"))).toEqual([]);
  });

  it("tell a queue to come one after the other, at the pace the receiver has, and never later than in two minutes", () => {
    const { enter, leave, later } = bench();
    const first = enter(5);
    later(9_500);
    leave(first);
    const [taken, ...others] = enter(1_000);
    const waits = waitsOf(others);
    const paceMs = (waits[1] ?? 0) - (waits[0] ?? 0);
    expect(paceMs).toBeGreaterThan(1_500);
    expect(waits.slice(0, 10)).toEqual(waits.slice(0, 10).toSorted((one, other) => one - other));
    expect(waits.at(-1)).toBe(120_000);
    // The first one told comes when the place is free.
    later(waits[0] ?? 0);
    leave(taken === undefined ? [] : [taken]);
    expect(waitsOf(enter(1))).toEqual([]);
  });
});
