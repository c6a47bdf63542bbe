/** How a caller may go on after an error: send the same request again later, change it, or give up. */
export type Remedy = "retry" | "change the request" | "contact an operator";

/** One row of the catalogue: the HTTP status its edge answers with, what it means, and what to do. */
export interface ErrorMeaning {
  readonly status: number;
  readonly title: string;
  readonly remedy: Remedy;
}

/**
 * Every code Saldo can answer with. The only list of codes: HTTP problem details, workflow failures,
 * dead letters and `docs/errors.md` are all taken from it.
 */
export const ERROR_CATALOGUE = {
  MALFORMED_JSON: { status: 400, title: "The body is not JSON.", remedy: "change the request" },
  INVALID_REQUEST: { status: 400, title: "The request does not fit the schema.", remedy: "change the request" },
  IDEMPOTENCY_KEY_REQUIRED: { status: 400, title: "This request needs an Idempotency-Key.", remedy: "change the request" },
  INVALID_IDEMPOTENCY_KEY: {
    status: 400,
    title: "The Idempotency-Key is not 1 to 255 visible ASCII characters.",
    remedy: "change the request",
  },
  INVALID_CURSOR: { status: 400, title: "The cursor was not made by this list.", remedy: "change the request" },
  UNAUTHENTICATED: { status: 401, title: "The request needs a valid access token.", remedy: "change the request" },
  INVALID_CREDENTIALS: { status: 401, title: "The login or the password is wrong.", remedy: "change the request" },
  INVALID_REFRESH_TOKEN: { status: 401, title: "The refresh token is not valid; log in again.", remedy: "change the request" },
  FORBIDDEN: { status: 403, title: "The token's roles do not allow this.", remedy: "change the request" },
  NOT_FOUND: { status: 404, title: "There is nothing at this address.", remedy: "change the request" },
  ORDER_NOT_FOUND: { status: 404, title: "There is no such order.", remedy: "change the request" },
  RESERVATION_NOT_FOUND: { status: 404, title: "There is no such reservation.", remedy: "change the request" },
  SERVICE_NOT_FOUND: { status: 404, title: "There is no such service.", remedy: "change the request" },
  REPORT_NOT_FOUND: { status: 404, title: "There is no such report.", remedy: "change the request" },
  USER_NOT_FOUND: { status: 404, title: "There is no such user.", remedy: "change the request" },
  OPERATION_NOT_FOUND: { status: 404, title: "There is no such operation.", remedy: "change the request" },
  PURCHASE_NOT_FOUND: { status: 404, title: "There is no such purchase.", remedy: "change the request" },
  DEAD_LETTER_NOT_FOUND: { status: 404, title: "There is no such dead letter.", remedy: "change the request" },
  EVENT_NOT_SEEN: { status: 404, title: "No message with this position has been taken, or not yet.", remedy: "retry" },
  TOPIC_NOT_READ: { status: 404, title: "Saldo does not read this topic.", remedy: "change the request" },
  WEBHOOK_NOT_FOUND: { status: 404, title: "There is no such webhook.", remedy: "change the request" },
  DELIVERY_NOT_FOUND: { status: 404, title: "There is no such delivery.", remedy: "change the request" },
  METHOD_NOT_ALLOWED: { status: 405, title: "This address does not take that method.", remedy: "change the request" },
  IDEMPOTENCY_CONFLICT: { status: 422, title: "The same key was used before with other content.", remedy: "change the request" },
  CONFLICT: { status: 409, title: "The same identity was seen before with other content.", remedy: "change the request" },
  SERVICE_NAME_TAKEN: { status: 409, title: "Another service has this id or name.", remedy: "change the request" },
  SERVICE_IN_USE: { status: 409, title: "The service has open reservations or orders.", remedy: "change the request" },
  USER_IN_USE: { status: 409, title: "The user has money, open reservations or running orders.", remedy: "change the request" },
  LOGIN_TAKEN: { status: 409, title: "This login or user id is taken.", remedy: "change the request" },
  REQUEST_IN_FLIGHT: { status: 409, title: "The first request with this Idempotency-Key is still running.", remedy: "retry" },
  AMBIGUOUS: { status: 409, title: "Several reservations match; name one by its id.", remedy: "change the request" },
  ALREADY_CONFIRMED: { status: 409, title: "The reservation was confirmed already.", remedy: "change the request" },
  ALREADY_RELEASED: { status: 409, title: "The reservation was released already.", remedy: "change the request" },
  RESERVATION_EXPIRED: {
    status: 409,
    title: "The reservation's time has passed and its money was released.",
    remedy: "change the request",
  },
  ORDER_STATE_CONFLICT: { status: 409, title: "The order is in a state that does not allow this.", remedy: "change the request" },
  ACT_NOT_POSSIBLE: { status: 409, title: "What is stuck does not take this act.", remedy: "change the request" },
  ORDER_CANCELLED: { status: 409, title: "The order was cancelled.", remedy: "change the request" },
  REDRIVE_CONFLICT: {
    status: 409,
    title: "The dead letter is another event, or was sent again as another one before.",
    remedy: "change the request",
  },
  WEBHOOK_DISABLED: { status: 409, title: "The webhook is disabled; enable it first.", remedy: "change the request" },
  TOO_MANY_WEBHOOKS: {
    status: 409,
    title: "As many webhooks are registered as there may be; delete one first.",
    remedy: "change the request",
  },
  PAYLOAD_TOO_LARGE: { status: 413, title: "The body is larger than allowed.", remedy: "change the request" },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: "The body must be application/json.", remedy: "change the request" },
  RATE_LIMITED: { status: 429, title: "Too many requests; wait as long as Retry-After says.", remedy: "retry" },
  INVALID_AMOUNT: { status: 422, title: "The amount is not a positive sum with the currency's decimals.", remedy: "change the request" },
  INVALID_CURRENCY: { status: 422, title: "The currency is not known.", remedy: "change the request" },
  INVALID_MONTH: { status: 422, title: "The month is not a month that has begun.", remedy: "change the request" },
  INSUFFICIENT_FUNDS: { status: 422, title: "The available balance does not cover the amount.", remedy: "change the request" },
  AMOUNT_EXCEEDS_HOLD: { status: 422, title: "The amount is larger than what is still held.", remedy: "change the request" },
  REFUND_EXCEEDS_PAYMENT: { status: 422, title: "The refund is larger than what is left of the payment.", remedy: "change the request" },
  INVALID_CARD: { status: 422, title: "The card's number, expiry or CVC is not valid.", remedy: "change the request" },
  CARD_DATA_REFUSED: { status: 422, title: "A field that is kept holds what looks like a card number.", remedy: "change the request" },
  PAYMENT_DECLINED: { status: 422, title: "The payment provider declined the payment.", remedy: "change the request" },
  UNKNOWN_SERVICE: { status: 422, title: "A service named in the request is not known.", remedy: "change the request" },
  INVALID_WEBHOOK_URL: { status: 422, title: "Events are not sent to such an address.", remedy: "change the request" },
  INVALID_EVENT: { status: 422, title: "The event does not fit its schema.", remedy: "change the request" },
  INTERNAL: { status: 500, title: "Something went wrong on our side.", remedy: "contact an operator" },
  PSP_UNAVAILABLE: { status: 503, title: "The payment provider does not answer; what was asked goes on under its key.", remedy: "retry" },
  PAUSED: { status: 503, title: "Captures and charges are paused; what was asked goes on afterwards.", remedy: "retry" },
  UNAVAILABLE: { status: 503, title: "A part that this request needs is not reachable.", remedy: "retry" },
  DEADLINE_EXCEEDED: { status: 503, title: "The answer did not come in time; the outcome is found by the same key.", remedy: "retry" },
} as const satisfies Record<string, ErrorMeaning>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** An expected failure. Its code says what happened; the edge that meets it translates it (HTTP status, workflow failure, dead letter). */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message?: string, details: Readonly<Record<string, string>> = {}, cause?: unknown) {
    super(message ?? ERROR_CATALOGUE[code].title, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** True when the text is one of the catalogue's codes. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(ERROR_CATALOGUE, text);
}

/** An error and its causes, from the outside in: libraries wrap what they meet. Ends at what is no error, and at a cause that came before. */
export function* causesOf(error: unknown): Generator<Error, void> {
  const seen = new Set<unknown>();
  for (let current = error; current instanceof Error && !seen.has(current); current = current.cause) {
    seen.add(current);
    yield current;
  }
}

/** The expected failure behind an error: the error itself or one of its causes. */
export function domainErrorIn(error: unknown): DomainError | undefined {
  for (const one of causesOf(error)) if (one instanceof DomainError) return one;
  return undefined;
}

/** The error's code; `INTERNAL` for everything that no DomainError is behind. */
export function codeOf(error: unknown): ErrorCode {
  return domainErrorIn(error)?.code ?? "INTERNAL";
}

/** The error's own words for a log or a report, never its stack. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // drizzle's message repeats the whole statement with its values, which are no words for a log.
  return error.cause !== undefined && error.message.startsWith("Failed query:") ? messageOf(error.cause) : error.message;
}
