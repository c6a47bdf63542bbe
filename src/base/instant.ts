const FORM = /^(\d{4}-\d{2}-\d{2})[Tt ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;

/** What a text must be that is read as an instant, in words that follow its field's name. */
export const INSTANT_WORDS = "must be a time such as 2026-11-21T10:00:00Z: RFC 3339, with Z or an offset such as +03:00";

/**
 * The instant that an RFC 3339 text names, in milliseconds; undefined when it names none. `t`, `z` and a blank in the place of `T` are taken, as the
 * standard allows, and seconds may be left out. A day that the calendar does not have is no instant. Whoever takes times in asks this.
 */
export function instantMs(text: string): number | undefined {
  const day = FORM.exec(text)?.[1];
  if (day === undefined || !isCalendarDay(day)) return undefined;
  const ms = Date.parse(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(ms) ? undefined : ms;
}

/** True for `yyyy-mm-dd` that the calendar has. `Date.parse` takes 31 February for 3 March. */
export function isCalendarDay(day: string): boolean {
  const [whole, year, month, dayOfMonth] = DAY.exec(day) ?? [];
  if (whole === undefined) return false;
  return Number(dayOfMonth) >= 1 && Number(dayOfMonth) <= lengthOfMonth(Number(year), Number(month));
}

/** How many days a month of the Gregorian calendar has; 0 for a month that it does not have. */
function lengthOfMonth(year: number, month: number): number {
  if (month !== 2) return [31, 0, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return isLeap ? 29 : 28;
}
