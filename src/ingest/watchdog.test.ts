import { describe, expect, it } from "vitest";
import { until } from "../../test/support/until.ts";
import { SILENT_LOG } from "../adapters/log.ts";
import { createWatchdog, progressOf, type Progress } from "./watchdog.ts";

function watched(progress: () => Progress | Error, outage: () => string | undefined = () => undefined) {
  let nowMs = 0;
  const stalls: string[] = [];
  const watchdog = createWatchdog({
    stallMs: 1_000,
    readProgress: async () => {
      const answer = progress();
      if (answer instanceof Error) throw answer;
      return answer;
    },
    knownOutage: async () => outage(),
    onStall: (reason) => stalls.push(reason),
    log: SILENT_LOG,
    nowMs: () => nowMs,
  });
  const checkAt = async (atMs: number) => {
    nowMs = atMs;
    await watchdog.check();
  };
  return { stalls, checkAt };
}

describe("the watchdog", () => {
  it("reports a bridge that has a lag and does not move", async () => {
    const { stalls, checkAt } = watched(() => ({ caughtUp: false, mark: "0:5" }));
    await checkAt(0);
    await checkAt(999);
    expect(stalls).toHaveLength(0);
    await checkAt(1_001);
    expect(stalls).toHaveLength(1);
  });

  it("is content with a bridge that moves, however slowly, and with one that caught up", async () => {
    let mark = 0;
    const moving = watched(() => ({ caughtUp: false, mark: String((mark += 1)) }));
    const idle = watched(() => ({ caughtUp: true, mark: "0:5" }));
    for (const atMs of [0, 5_000, 10_000]) {
      await moving.checkAt(atMs);
      await idle.checkAt(atMs);
    }
    expect([...moving.stalls, ...idle.stalls]).toEqual([]);
  });

  it("does not count the time of a known outage, and begins anew after it", async () => {
    let outage: string | undefined = "Temporal";
    const { stalls, checkAt } = watched(
      () => ({ caughtUp: false, mark: "0:5" }),
      () => outage,
    );
    for (const atMs of [0, 2_000, 4_000]) await checkAt(atMs);
    outage = undefined;
    await checkAt(4_900);
    expect(stalls).toHaveLength(0);
    await checkAt(5_001);
    expect(stalls).toHaveLength(1);
  });

  it("does not count the time in which Kafka does not answer", async () => {
    let answer: Progress | Error = { caughtUp: false, mark: "0:5" };
    const { stalls, checkAt } = watched(() => answer);
    await checkAt(0);
    answer = new Error("no broker");
    await checkAt(5_000);
    answer = { caughtUp: false, mark: "0:5" };
    await checkAt(5_500);
    expect(stalls).toHaveLength(0);
  });

  it("ends at the order to stop, also while Kafka keeps it waiting for an answer", async () => {
    const stop = new AbortController();
    let asked = false;
    const watchdog = createWatchdog({
      stallMs: 400,
      readProgress: () => {
        asked = true;
        return new Promise(() => {});
      },
      knownOutage: async () => undefined,
      onStall: () => {},
      log: SILENT_LOG,
      nowMs: () => 0,
    });
    const ended = watchdog.run(stop.signal);
    await until("it asks", () => asked);
    stop.abort();
    await ended;
  });
});

describe("progress", () => {
  const offsets = [
    { partition: 0, low: 0n, stable: 10n },
    { partition: 1, low: 4n, stable: 4n },
  ];

  it("is caught up when every partition of this member is committed to its end", () => {
    expect(progressOf({ assigned: [0, 1], unreadable: [], offsets, committed: new Map([[0, 10n]]) }).caughtUp).toBe(true);
    expect(progressOf({ assigned: [0, 1], unreadable: [], offsets, committed: new Map([[0, 9n]]) }).caughtUp).toBe(false);
  });

  it("looks only at the partitions this member has, and at all of them while it has no assignment", () => {
    expect(progressOf({ assigned: [1], unreadable: [], offsets, committed: new Map() }).caughtUp).toBe(true);
    expect(progressOf({ assigned: undefined, unreadable: [], offsets, committed: new Map() }).caughtUp).toBe(false);
  });

  it("does not wait for a partition that is paused because it cannot be read", () => {
    expect(progressOf({ assigned: [0, 1], unreadable: [0], offsets, committed: new Map() }).caughtUp).toBe(true);
  });
});
