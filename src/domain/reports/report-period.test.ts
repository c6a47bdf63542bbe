import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { monthOf, monthPeriod, newReportVersion, nextMonth, parseMonth, previousMonth } from "./report-period.ts";

const iso = (instantMs: number) => new Date(instantMs).toISOString();
const ZONES = [
  "Europe/Moscow",
  "UTC",
  "America/New_York",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/Asuncion",
  "America/Havana",
  "America/St_Johns",
  "Pacific/Apia",
  "Pacific/Kiritimati",
  "Europe/Berlin",
];

describe("the period of a month", () => {
  it("begins and ends at local midnight", () => {
    const period = monthPeriod("2022-10", "Europe/Moscow");
    expect([iso(period.startsAtMs), iso(period.endsAtMs)]).toEqual(["2022-09-30T21:00:00.000Z", "2022-10-31T21:00:00.000Z"]);
  });

  it("is an hour longer or shorter where the clock changes within it", () => {
    const hours = (month: string) =>
      (monthPeriod(month, "Europe/Berlin").endsAtMs - monthPeriod(month, "Europe/Berlin").startsAtMs) / 3_600_000;
    expect([hours("2026-03"), hours("2026-10"), hours("2026-05")]).toEqual([31 * 24 - 1, 31 * 24 + 1, 31 * 24]);
  });

  it("has 29 days in a leap February and 28 in another", () => {
    const days = (month: string) => (monthPeriod(month, "UTC").endsAtMs - monthPeriod(month, "UTC").startsAtMs) / 86_400_000;
    expect([days("2024-02"), days("2026-02"), days("2000-02"), days("2100-02")]).toEqual([29, 28, 29, 28]);
  });

  it("begins after the gap where a clock change skips the midnight of the first", () => {
    // In Asuncion the clock went from 00:00 to 01:00 on 1 October 2017.
    expect(iso(monthPeriod("2017-10", "America/Asuncion").startsAtMs)).toBe("2017-10-01T04:00:00.000Z");
  });

  it("begins with the first of two midnights where a clock change repeats it", () => {
    // In Havana the clock went from 01:00 back to 00:00 on 1 November 2015.
    expect(iso(monthPeriod("2015-11", "America/Havana").startsAtMs)).toBe("2015-11-01T04:00:00.000Z");
  });

  it("counts an hour that the clock shows twice around midnight to the month that had begun", () => {
    // In St. John's the clock went from 00:01 of 1 November 2009 back to 23:01 of 31 October.
    const { startsAtMs } = monthPeriod("2009-11", "America/St_Johns");
    expect(iso(startsAtMs)).toBe("2009-11-01T02:30:00.000Z");
    expect([
      monthOf(startsAtMs - 1, "America/St_Johns"),
      monthOf(startsAtMs, "America/St_Johns"),
      monthOf(startsAtMs + 30 * 60_000, "America/St_Johns"),
    ]).toEqual(["2009-10", "2009-11", "2009-11"]);
  });

  it("holds each instant in exactly one month", () => {
    const instants = fc.integer({ min: Date.UTC(1971, 0), max: Date.UTC(2099, 0) });
    fc.assert(
      fc.property(instants, fc.constantFrom(...ZONES), (instantMs, timeZone) => {
        const month = monthOf(instantMs, timeZone);
        const period = monthPeriod(month, timeZone);
        return (
          period.startsAtMs <= instantMs &&
          instantMs < period.endsAtMs &&
          monthPeriod(nextMonth(month), timeZone).startsAtMs === period.endsAtMs
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe("a month in words", () => {
  it("is followed and preceded across the year", () => {
    expect([nextMonth("2026-12"), previousMonth("2026-01"), nextMonth("2026-08")]).toEqual(["2027-01", "2025-12", "2026-09"]);
  });

  it.each(["2026-13", "2026-00", "2026-1", "0000-01", "1969-12", "2026", "26-10", "2026-10-01", "", "2026-10\n", "２026-10"])(
    "is refused as %j",
    (text) => {
      expect(() => parseMonth(text)).toThrow(expect.objectContaining({ code: "INVALID_MONTH" }) as Error);
    },
  );
});

describe("a new version of a report", () => {
  const version = (nowMs: number) => newReportVersion({ month: "2026-10", version: 2, timeZone: "Europe/Moscow", nowMs });
  const { startsAtMs, endsAtMs } = monthPeriod("2026-10", "Europe/Moscow");

  it("is refused before the month has begun", () => {
    expect(() => version(startsAtMs - 1)).toThrow(expect.objectContaining({ code: "INVALID_MONTH" }) as Error);
  });

  it("is partial until the month has ended", () => {
    expect([version(startsAtMs).partial, version(endsAtMs - 1).partial, version(endsAtMs).partial]).toEqual([true, true, false]);
  });

  it("names the workflow that makes it", () => {
    expect(version(endsAtMs).workflowId).toBe("revenue-report/2026-10/2");
  });
});
