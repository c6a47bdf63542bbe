/** The longest wait that a receiver's `Retry-After` is obeyed for: a mistaken one must not silence a webhook for good. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** The statuses whose `Retry-After` says when the receiver will take requests again (RFC 9110, RFC 6585). */
const ASKING_STATUSES = new Set<number | undefined>([429, 503]);

/**
 * How long the receiver asks to be left alone, at most `MAX_RETRY_AFTER_MS`; undefined when it does not ask, or cannot be read. The header
 * holds whole seconds or an HTTP date.
 */
export function retryAfterMsOf(
  answer: { readonly status: number | undefined; readonly retryAfter?: string | undefined },
  nowMs: number,
): number | undefined {
  const header = answer.retryAfter?.trim();
  if (header === undefined || !ASKING_STATUSES.has(answer.status)) return undefined;
  const waitMs = /^\d{1,10}$/.test(header) ? Number(header) * 1_000 : header.endsWith("GMT") ? Date.parse(header) - nowMs : Number.NaN;
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(0, waitMs), MAX_RETRY_AFTER_MS);
}
