import { retryAfterMs } from "../../base/retry-after.ts";

/** The longest wait that a receiver's `Retry-After` is obeyed for: a mistaken one must not silence a webhook for good. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** The statuses whose `Retry-After` says when the receiver will take requests again (RFC 9110, RFC 6585). */
const ASKING_STATUSES = new Set<number | undefined>([429, 503]);

/** Seconds, or a date: a number of more digits is a mistake and no wish. */
const WISH = /^(?:\d{1,10}|.*GMT)$/;

/**
 * How long the receiver asks to be left alone, at most `MAX_RETRY_AFTER_MS`; undefined when it does not ask, or cannot be read. The header
 * holds whole seconds or an HTTP date.
 */
export function retryAfterMsOf(
  answer: { readonly status: number | undefined; readonly retryAfter?: string | undefined },
  nowMs: number,
): number | undefined {
  const header = answer.retryAfter?.trim() ?? "";
  if (!ASKING_STATUSES.has(answer.status) || !WISH.test(header)) return undefined;
  const waitMs = retryAfterMs(header, nowMs);
  return waitMs === undefined ? undefined : Math.min(waitMs, MAX_RETRY_AFTER_MS);
}
