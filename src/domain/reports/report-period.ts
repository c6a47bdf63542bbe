import { DomainError } from "../../base/errors.ts";
import { reportWorkflowId } from "../../contract/ids.ts";

/** The instants of a month in a time zone, in milliseconds since 1970: `startsAtMs` belongs to it, `endsAtMs` to the next one. */
export interface MonthPeriod {
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/;
const FIRST_YEAR = 1970;
const HOUR_MS = 3_600_000;
/** Wider than any zone is from UTC, a change of the date line included. */
const WIDEST_OFFSET_MS = 36 * HOUR_MS;

/** Reads `yyyy-mm`, from 1970 on. Throws: INVALID_MONTH. */
export function parseMonth(text: string): string {
  const match = MONTH.exec(text);
  if (match === null || Number(match[1]) < FIRST_YEAR)
    throw new DomainError("INVALID_MONTH", "a month is written yyyy-mm, from 1970-01 on and with 01 to 12 for mm, such as 2026-10");
  return text;
}

/** The month after the given one. Throws: INVALID_MONTH. */
export function nextMonth(month: string): string {
  return shift(month, 1);
}

/** The month before the given one. Throws: INVALID_MONTH. */
export function previousMonth(month: string): string {
  return shift(month, -1);
}

/**
 * When a month begins and ends in a time zone. Each instant is in exactly one month: where a clock change skips midnight the month
 * begins with the first instant after the gap, where it repeats midnight with the first of the two.
 * Throws: INVALID_MONTH.
 */
export function monthPeriod(month: string, timeZone: string): MonthPeriod {
  return { startsAtMs: startOfMonthMs(month, timeZone), endsAtMs: startOfMonthMs(nextMonth(month), timeZone) };
}

/** The month that an instant belongs to, in agreement with `monthPeriod`. */
export function monthOf(instantMs: number, timeZone: string): string {
  const month = new Date(localMs(instantMs, timeZone)).toISOString().slice(0, 7);
  // Within a repeated hour around midnight the clock on the wall shows the earlier month again; the instant is past its end.
  return instantMs >= monthPeriod(month, timeZone).endsAtMs ? nextMonth(month) : month;
}

/**
 * What is fixed about a new version of a month's report at the moment it is asked for: the id of its workflow, and whether
 * the month still runs, so that more can follow. Throws: INVALID_MONTH when the month has not begun.
 */
export function newReportVersion(input: { month: string; version: number; timeZone: string; nowMs: number }): {
  workflowId: string;
  partial: boolean;
} {
  const period = monthPeriod(input.month, input.timeZone);
  if (input.nowMs < period.startsAtMs)
    throw new DomainError("INVALID_MONTH", `the month ${input.month} has not begun in ${input.timeZone}`);
  return { workflowId: reportWorkflowId(input.month, input.version), partial: input.nowMs < period.endsAtMs };
}

function shift(month: string, months: number): string {
  const [year, number] = parseMonth(month).split("-").map(Number) as [number, number];
  const count = year * 12 + (number - 1) + months;
  return parseMonth(`${String(Math.floor(count / 12)).padStart(4, "0")}-${String((count % 12) + 1).padStart(2, "0")}`);
}

function startOfMonthMs(month: string, timeZone: string): number {
  return startOfDayMs(`${parseMonth(month)}-01`, timeZone);
}

/** The first instant of a day `yyyy-mm-dd` in a time zone, in milliseconds since 1970. The day must be one of the calendar. */
export function startOfDayMs(day: string, timeZone: string): number {
  const midnight = Date.parse(`${day}T00:00:00Z`);
  const offsets = [midnight - WIDEST_OFFSET_MS, midnight + WIDEST_OFFSET_MS].map((instantMs) => localMs(instantMs, timeZone) - instantMs);
  const earliest = midnight - Math.max(...offsets);
  const latest = midnight - Math.min(...offsets);
  if (localMs(earliest, timeZone) === midnight) return earliest;
  // Here the clock was set forward near midnight: the first instant at or after it, found by halving.
  let [before, after] = [earliest, latest];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (localMs(middle, timeZone) >= midnight) after = middle;
    else before = middle;
  }
  return after;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The reading of a clock in the zone, as the milliseconds at which a clock in UTC reads the same. */
function localMs(instantMs: number, timeZone: string): number {
  const seconds = Math.floor(instantMs / 1000) * 1000;
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(seconds)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second")) + (instantMs - seconds);
}

// Making a format costs more than using it a hundred times; there are as many as configured zones.
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  formats.set(timeZone, made);
  return made;
}
