import { instantMs, isCalendarDay } from "../../base/instant.ts";
import { startOfDayMs } from "../../domain/reports/report-period.ts";

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
  const dateMs = isCalendarDay(text) ? startOfDayMs(text, timeZone) : instantMs(text);
  return dateMs === undefined ? undefined : new Date(dateMs).toISOString();
}
