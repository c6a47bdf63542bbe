import { startOfDayMs } from "../../domain/reports/report-period.ts";

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;
const MAX_REMEMBERED = 10_000;

/**
 * A reader of dates as RFC 3339 in UTC: of a day (`yyyy-mm-dd`, its start in `timeZone`) or of an RFC 3339 moment; undefined for another
 * text. It remembers dates that it has read, since a file has few of them.
 */
export function createDateReader(timeZone: string): (text: string) => string | undefined {
  const read = new Map<string, string | undefined>();
  return (text) => {
    if (!read.has(text)) {
      if (read.size > MAX_REMEMBERED) read.clear();
      read.set(text, readDate(text, timeZone));
    }
    return read.get(text);
  };
}

function readDate(text: string, timeZone: string): string | undefined {
  if (DAY.test(text)) return isCalendarDay(text) ? new Date(startOfDayMs(text, timeZone)).toISOString() : undefined;
  const day = RFC_3339.exec(text)?.[1];
  const instantMs = day !== undefined && isCalendarDay(day) ? Date.parse(text.replace(" ", "T").toUpperCase()) : Number.NaN;
  return Number.isNaN(instantMs) ? undefined : new Date(instantMs).toISOString();
}

// Date.parse takes 31 February for 3 March.
function isCalendarDay(day: string): boolean {
  const parsed = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(day);
}
