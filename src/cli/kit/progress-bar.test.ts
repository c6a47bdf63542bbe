import { describe, expect, it } from "vitest";
import { createProgressBar, describeProgress } from "./progress-bar.ts";

function recorded(isTTY: boolean) {
  let nowMs = 0;
  const written: string[] = [];
  const stream = { isTTY, columns: 200, write: (text: string) => written.push(text) };
  const bar = createProgressBar({ label: "rows", unit: "rows", total: 1_000, stream, nowMs: () => nowMs });
  const updateAt = (atMs: number, done: number) => {
    nowMs = atMs;
    bar.update(done);
  };
  return { bar, written, updateAt };
}

describe("a progress bar", () => {
  it("tells count, rate and the time that is left", () => {
    const line = describeProgress({ label: "to Kafka", unit: "rows", total: 1_000, done: 250, startsAt: 0, detail: "", elapsedMs: 1_000 });
    for (const part of ["to Kafka", "25%", "250/1,000 rows", "250 rows/s", "ETA 3 s"]) expect(line).toContain(part);
  });

  it("counts for the rate only what was done since it began", () => {
    const line = describeProgress({ label: "x", unit: "rows", total: 1_000, done: 900, startsAt: 800, detail: "", elapsedMs: 1_000 });
    for (const part of ["90%", "100 rows/s", "ETA 1 s"]) expect(line).toContain(part);
  });

  it("shows no ETA while the total is not known, and none before the first step", () => {
    expect(describeProgress({ label: "x", unit: "rows", done: 5, startsAt: 0, detail: "", elapsedMs: 1_000 })).not.toContain("ETA");
    expect(describeProgress({ label: "x", unit: "rows", total: 5, done: 0, startsAt: 0, detail: "", elapsedMs: 0 })).toContain("ETA –");
  });

  it("redraws one line on a terminal, ten times a second at most, and ends it once", () => {
    const { bar, written, updateAt } = recorded(true);
    for (let ms = 0; ms < 1_000; ms += 10) updateAt(ms, ms);
    bar.finish();
    bar.finish();
    expect(written.filter((text) => text.startsWith("\r")).length).toBeLessThanOrEqual(11);
    expect(written.join("").match(/\n/g)).toHaveLength(1);
  });

  it("writes a plain line now and then where there is no terminal", () => {
    const { bar, written, updateAt } = recorded(false);
    for (let ms = 0; ms <= 4_000; ms += 100) updateAt(ms, ms / 4);
    bar.finish();
    expect(written).toHaveLength(4);
    expect(written.join("")).not.toContain("\r");
  });
});
