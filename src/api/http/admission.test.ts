import { describe, expect, it } from "vitest";
import { createAdmission, type Admission, type Place } from "./admission.ts";

const TARGET_MS = 1_000;

interface Outcome {
  readonly atMs: number;
  /** Undefined where the request was refused. */
  readonly tookMs: number | undefined;
}

/**
 * A server that works on one request after the other, `perSecond` of them, asked `offered` times a second at even distances. The clock is
 * the test's: nothing here depends on how fast the machine is.
 */
function createSimulation() {
  let nowMs = 0;
  const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs, random: () => 0.5 });
  const queue: { readonly place: Place; readonly enteredMs: number; readonly outcome: { atMs: number; tookMs: number | undefined } }[] = [];
  let freeAtMs = 0;
  return {
    admission,
    run({ offered, perSecond, seconds }: { offered: number; perSecond: number; seconds: number }): Outcome[] {
      const outcomes: Outcome[] = [];
      const endsAtMs = nowMs + seconds * 1_000;
      let nextMs = nowMs;
      while (nowMs < endsAtMs) {
        while (queue.length > 0 && freeAtMs + 1_000 / perSecond <= nextMs) {
          freeAtMs += 1_000 / perSecond;
          nowMs = Math.max(nowMs, freeAtMs);
          const done = queue.shift();
          done?.place.leave("done");
          if (done !== undefined) done.outcome.tookMs = nowMs - done.enteredMs;
        }
        nowMs = nextMs;
        nextMs += 1_000 / offered;
        const outcome = { atMs: nowMs, tookMs: undefined };
        const place = enter(admission);
        if (place === undefined) outcomes.push(outcome);
        else {
          if (queue.length === 0) freeAtMs = Math.max(freeAtMs, nowMs);
          queue.push({ place, enteredMs: nowMs, outcome });
          outcomes.push(outcome);
        }
      }
      // Those that are still waiting at the end are answered later.
      const waiting = new Set<Outcome>(queue.map(({ outcome }) => outcome));
      return outcomes.filter((outcome) => !waiting.has(outcome));
    },
  };
}

function enter(admission: Admission): Place | undefined {
  try {
    return admission.enter("orders");
  } catch (error) {
    expect(error).toMatchObject({ code: "OVERLOADED", details: { retryAfterSeconds: "1" } });
    return undefined;
  }
}

const answered = (outcomes: readonly Outcome[]) => outcomes.flatMap(({ tookMs }) => (tookMs === undefined ? [] : [tookMs]));

describe("admission of new work", () => {
  it("refuses nothing while everything is answered in time, whatever its amount", () => {
    const { run } = createSimulation();
    const outcomes = run({ offered: 90, perSecond: 100, seconds: 60 });
    expect(answered(outcomes)).toHaveLength(outcomes.length);
  });

  it("keeps the wait of what it lets in near the target at twice the load, and the server busy", () => {
    const { run } = createSimulation();
    run({ offered: 200, perSecond: 100, seconds: 10 });
    const outcomes = run({ offered: 200, perSecond: 100, seconds: 60 });
    const took = answered(outcomes);
    expect(Math.max(...took)).toBeLessThan(TARGET_MS * 1.5);
    expect(took.length).toBeGreaterThan(60 * 100 * 0.95);
    expect(outcomes.length - took.length).toBeGreaterThan(60 * 100 * 0.8);
  });

  it("bounds also the wait of those who came before it knew, at ten times the load", () => {
    const { run } = createSimulation();
    const outcomes = run({ offered: 1_000, perSecond: 100, seconds: 60 });
    // Until the first answers are late nothing shows an overload; whoever comes in this time waits behind all before them.
    const later = outcomes.filter(({ atMs }) => atMs > 25_000);
    expect(Math.max(...answered(later))).toBeLessThan(TARGET_MS * 1.5);
  });

  it("lets everything in again once the load is borne", () => {
    const { run, admission } = createSimulation();
    run({ offered: 200, perSecond: 100, seconds: 30 });
    expect(admission.loads().orders.limit).toBeLessThan(200);
    run({ offered: 50, perSecond: 100, seconds: 60 });
    expect(admission.loads().orders.limit).toBeGreaterThan(1_000);
    const outcomes = run({ offered: 90, perSecond: 100, seconds: 10 });
    expect(answered(outcomes)).toHaveLength(outcomes.length);
  });

  it("always lets some in, however slow they are, and judges each kind by itself", () => {
    let nowMs = 0;
    const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs });
    const all = Array.from({ length: 20 }, () => admission.enter("orders"));
    nowMs = 60_000;
    for (const place of all) place.leave("done");
    const places = Array.from({ length: 10 }, () => admission.enter("orders"));
    expect(admission.loads()).toMatchObject({ orders: { limit: 10, inFlight: 10 }, money: { inFlight: 0 } });
    expect(() => admission.enter("orders")).toThrow(expect.objectContaining({ code: "OVERLOADED" }));
    for (let n = 0; n < 100; n += 1) admission.enter("money");
    // Given back twice, a place is free once.
    places[0]?.leave("other");
    places[0]?.leave("done");
    admission.enter("orders");
    expect(() => admission.enter("orders")).toThrow(expect.objectContaining({ code: "OVERLOADED" }));
  });

  it("forgets what it learnt once nothing has been under way for a while, and learns nothing from a few slow ones in a long time", () => {
    let nowMs = 0;
    const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs });
    const work = (tookMs: number, amount: number) => {
      const places = Array.from({ length: amount }, () => admission.enter("orders"));
      nowMs += tookMs;
      for (const place of places) place.leave("done");
    };
    work(5_000, 40);
    expect(admission.loads().orders.limit).toBe(10);
    nowMs += 5_000;
    admission.enter("orders").leave("other");
    expect(admission.loads().orders.limit).toBe(10);
    nowMs += 11_000;
    work(10, 50);
    expect(admission.loads().orders.limit).toBeGreaterThan(1_000);
    for (let n = 0; n < 100; n += 1) {
      nowMs += 60_000;
      work(5_000, 1);
    }
    expect(admission.loads().orders.limit).toBeGreaterThan(1_000);
  });

  it("counts what a request waited before this process came to read it", () => {
    let nowMs = 0;
    let waitedMs = 0;
    const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs, waitedMs: () => waitedMs });
    const work = () => {
      const places = Array.from({ length: 100 }, () => admission.enter("orders"));
      nowMs += 600;
      for (const place of places) place.leave("done");
    };
    work();
    expect(admission.loads().orders.limit).toBeGreaterThan(1_000);
    waitedMs = 500;
    work();
    work();
    // A hundred in 600 ms are as many as end in the target of a second.
    expect(admission.loads().orders.limit).toBe(167);
  });

  it.each(["refusals alone", "refusals and a few that are done"])("does not stay closed where an idle server is asked for %s", (what) => {
    let nowMs = 0;
    const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs });
    const work = (tookMs: number, amount: number, end: "done" | "other") => {
      const places = Array.from({ length: amount }, () => admission.enter("orders"));
      nowMs += tookMs;
      for (const place of places) place.leave(end);
    };
    work(5_000, 40, "done");
    expect(admission.loads().orders.limit).toBe(10);
    // From here on something is always under way, and quick.
    let before = admission.enter("orders");
    for (let n = 0; n < 1_200; n += 1) {
      const next = admission.enter("orders");
      nowMs += 100;
      before.leave(what === "refusals alone" || n % 10 > 0 ? "other" : "done");
      before = next;
    }
    expect(admission.loads().orders.limit).toBeGreaterThan(1_000);
  });

  it("stays closed while what ends is late, and while nothing but waits for somebody outside ends", () => {
    let nowMs = 0;
    const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs });
    const all = Array.from({ length: 40 }, () => admission.enter("orders"));
    nowMs = 5_000;
    for (const place of all) place.leave("done");
    admission.enter("orders");
    for (let n = 0; n < 100; n += 1) {
      admission.enter("orders").leave("outside");
      const late = admission.enter("orders");
      nowMs += 2_000;
      late.leave("other");
    }
    expect(admission.loads().orders.limit).toBe(10);
  });

  it("learns nothing from what says nothing of the work: repeats, refusals, and waits for somebody outside", () => {
    let nowMs = 0;
    const shed: string[] = [];
    const admission = createAdmission({ targetMs: TARGET_MS, nowMs: () => nowMs, onShed: (kind) => shed.push(kind) });
    for (let n = 0; n < 200; n += 1) {
      const place = admission.enter("orders");
      nowMs += 10_000;
      place.leave("other");
    }
    expect(admission.loads().orders.limit).toBeGreaterThan(1_000);
    expect(shed).toEqual([]);
  });
});
