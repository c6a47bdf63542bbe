/** No wait is longer: a timer of Node that is asked for more than 2^31 - 1 ms ends at once. */
const LONGEST_MS = 2_147_483_647;

/**
 * How long a `Retry-After` asks to wait, in milliseconds and at most 24.8 days: seconds, or a date (RFC 9110, 10.2.3), which is 0 once it is
 * past. Undefined when there is none, or what stands there is neither.
 */
export function retryAfterMs(header: string | null | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, LONGEST_MS);
  // `Date.parse` takes much that is no HTTP date, such as `-1`.
  const atMs = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(atMs - nowMs, 0), LONGEST_MS);
}
