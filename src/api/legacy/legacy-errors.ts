import { isErrorCode, type ErrorCode } from "../../base/errors.ts";
import type { Problem } from "../http/problem.ts";
import { STATUSES } from "../http/statuses.ts";

/** The words that clients of the earlier service look for, by code. A code without a row keeps the words it has everywhere. */
const WORDS: Partial<Record<ErrorCode, string>> = {
  USER_NOT_FOUND: "no such user with id",
  SERVICE_NOT_FOUND: "no such service with id",
  UNKNOWN_SERVICE: "no such service with id",
  RESERVATION_NOT_FOUND: "money were not reserved for order",
  ALREADY_RELEASED: "money were not reserved for order",
  RESERVATION_EXPIRED: "money were not reserved for order",
  AMOUNT_EXCEEDS_HOLD: "wrong purchase amount, stored in reserve",
  ALREADY_CONFIRMED: "the purchase has already happened",
  INVALID_MONTH: "wrong month input",
};

/** Codes that keep their status: a missing report, and a first request with the same key that still runs, which is no mistake of the client. */
const KEPT_CODES = new Set<ErrorCode>(["REPORT_NOT_FOUND", "REQUEST_IN_FLIGHT"]);

/** Statuses that are kept because a client must not take them for a mistake in its request: missing rights, refusals of HTTP itself, too many requests. */
const KEPT_STATUSES: ReadonlySet<number> = new Set([401, 403, 405, 413, 415, 429]);

/** The status of a code on these paths: 400 for every mistake in a request, 404 for a missing report only, 409 while the first request with the key runs. */
function legacyStatus(code: ErrorCode): number {
  const status = STATUSES[code];
  return KEPT_CODES.has(code) || KEPT_STATUSES.has(status) || status >= 500 ? status : 400;
}

/** A problem as these paths answer it: it tells no more than the problem does. */
export function asLegacyError(problem: Problem): { readonly status: number; readonly body: string } {
  const code = isErrorCode(problem.code) ? problem.code : "INTERNAL";
  return { status: legacyStatus(code), body: JSON.stringify({ message: WORDS[code] ?? problem.detail }) };
}
