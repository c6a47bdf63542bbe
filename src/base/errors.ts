/** How a caller may go on after an error: send the same request again later, change it, or give up. */
export type Remedy = "retry" | "change the request" | "contact an operator";

/** One row of the catalogue: what a code means, and what its caller can do. */
export interface ErrorMeaning {
  readonly title: string;
  readonly remedy: Remedy;
}

/**
 * Every code Saldo can answer with. The only list of codes: HTTP problem details, workflow failures,
 * dead letters and `docs/errors.md` are all taken from it. The HTTP status of a code stands in `src/api/http/statuses.ts`.
 */
export const ERROR_CATALOGUE = {
  MALFORMED_JSON: { title: "The body is not JSON.", remedy: "change the request" },
  INVALID_SIGNATURE: { title: "The signature does not fit the body, or is too old.", remedy: "change the request" },
  INVALID_REQUEST: { title: "The request does not fit the schema.", remedy: "change the request" },
  IDEMPOTENCY_KEY_REQUIRED: { title: "This request needs an Idempotency-Key.", remedy: "change the request" },
  INVALID_IDEMPOTENCY_KEY: { title: "The Idempotency-Key is not 1 to 255 visible ASCII characters.", remedy: "change the request" },
  INVALID_CURSOR: { title: "The cursor was not made by this list.", remedy: "change the request" },
  UNAUTHENTICATED: { title: "The request needs a valid access token.", remedy: "change the request" },
  INVALID_CREDENTIALS: { title: "The login or the password is wrong.", remedy: "change the request" },
  INVALID_REFRESH_TOKEN: { title: "The refresh token is not valid; log in again.", remedy: "change the request" },
  FORBIDDEN: { title: "The token's roles do not allow this.", remedy: "change the request" },
  INSUFFICIENT_SCOPE: { title: "The API key's scopes do not allow this.", remedy: "change the request" },
  NOT_FOUND: { title: "There is nothing at this address.", remedy: "change the request" },
  ORDER_NOT_FOUND: { title: "There is no such order.", remedy: "change the request" },
  RESERVATION_NOT_FOUND: { title: "There is no such reservation.", remedy: "change the request" },
  SERVICE_NOT_FOUND: { title: "There is no such service.", remedy: "change the request" },
  REPORT_NOT_FOUND: { title: "There is no such report.", remedy: "change the request" },
  USER_NOT_FOUND: { title: "There is no such user.", remedy: "change the request" },
  OPERATION_NOT_FOUND: { title: "There is no such operation.", remedy: "change the request" },
  PURCHASE_NOT_FOUND: { title: "There is no such purchase.", remedy: "change the request" },
  DEAD_LETTER_NOT_FOUND: { title: "There is no such dead letter.", remedy: "change the request" },
  EVENT_NOT_SEEN: { title: "No message with this position has been taken, or not yet.", remedy: "retry" },
  TOPIC_NOT_READ: { title: "Saldo does not read this topic.", remedy: "change the request" },
  API_KEY_NOT_FOUND: { title: "There is no such API key, or it has ended.", remedy: "change the request" },
  WEBHOOK_NOT_FOUND: { title: "There is no such webhook.", remedy: "change the request" },
  DELIVERY_NOT_FOUND: { title: "There is no such delivery.", remedy: "change the request" },
  METHOD_NOT_ALLOWED: { title: "This address does not take that method.", remedy: "change the request" },
  IDEMPOTENCY_CONFLICT: { title: "The same key was used before with other content.", remedy: "change the request" },
  CONFLICT: { title: "The same identity was seen before with other content.", remedy: "change the request" },
  SERVICE_NAME_TAKEN: { title: "Another service has this id or name.", remedy: "change the request" },
  SERVICE_IN_USE: { title: "The service has open reservations or orders.", remedy: "change the request" },
  USER_IN_USE: { title: "The user has money, open reservations or running orders.", remedy: "change the request" },
  LOGIN_TAKEN: { title: "This login or user id is taken.", remedy: "change the request" },
  REQUEST_IN_FLIGHT: { title: "The first request with this Idempotency-Key is still running.", remedy: "retry" },
  AMBIGUOUS: { title: "Several reservations match; name one by its id.", remedy: "change the request" },
  ALREADY_CONFIRMED: { title: "The reservation was confirmed already.", remedy: "change the request" },
  ALREADY_RELEASED: { title: "The reservation was released already.", remedy: "change the request" },
  RESERVATION_EXPIRED: { title: "The reservation's time has passed and its money was released.", remedy: "change the request" },
  ORDER_STATE_CONFLICT: { title: "The order is in a state that does not allow this.", remedy: "change the request" },
  ACT_NOT_POSSIBLE: { title: "What is stuck does not take this act.", remedy: "change the request" },
  ORDER_CANCELLED: { title: "The order was cancelled.", remedy: "change the request" },
  REDRIVE_CONFLICT: { title: "The dead letter is another event, or was sent again as another one before.", remedy: "change the request" },
  WEBHOOK_DISABLED: { title: "The webhook is disabled; enable it first.", remedy: "change the request" },
  TOO_MANY_WEBHOOKS: { title: "As many webhooks are registered as there may be; delete one first.", remedy: "change the request" },
  PAYLOAD_TOO_LARGE: { title: "The body is larger than allowed.", remedy: "change the request" },
  UNSUPPORTED_MEDIA_TYPE: { title: "The body must be application/json.", remedy: "change the request" },
  RATE_LIMITED: { title: "Too many requests; wait as long as Retry-After says.", remedy: "retry" },
  INVALID_AMOUNT: { title: "The amount is not a positive sum with the currency's decimals.", remedy: "change the request" },
  INVALID_CURRENCY: { title: "The currency is not known.", remedy: "change the request" },
  INVALID_MONTH: { title: "The month is not a month that has begun.", remedy: "change the request" },
  INSUFFICIENT_FUNDS: { title: "The available balance does not cover the amount.", remedy: "change the request" },
  AMOUNT_EXCEEDS_HOLD: { title: "The amount is larger than what is still held.", remedy: "change the request" },
  REFUND_EXCEEDS_PAYMENT: { title: "The refund is larger than what is left of the payment.", remedy: "change the request" },
  INVALID_CARD: { title: "The card's number, expiry or CVC is not valid.", remedy: "change the request" },
  RAW_CARD_REFUSED: { title: "Card numbers are not taken here; send a token of the payment provider.", remedy: "change the request" },
  CARD_DATA_REFUSED: { title: "A field that is kept holds what looks like a card number.", remedy: "change the request" },
  PAYMENT_DECLINED: { title: "The payment provider declined the payment.", remedy: "change the request" },
  UNKNOWN_SERVICE: { title: "A service named in the request is not known.", remedy: "change the request" },
  INVALID_WEBHOOK_URL: { title: "Events are not sent to such an address.", remedy: "change the request" },
  INVALID_EVENT: { title: "The event does not fit its schema.", remedy: "change the request" },
  EVENTS_REMOVED: { title: "Messages of an event batch were removed from Kafka before they were booked.", remedy: "contact an operator" },
  EVENTS_CHANGED: {
    title: "Other messages stand in Kafka at the place of an event batch than it was made of.",
    remedy: "contact an operator",
  },
  PAYLOAD_UNREADABLE: { title: "What Temporal keeps of this cannot be decrypted here.", remedy: "contact an operator" },
  INTERNAL: { title: "Something went wrong on our side.", remedy: "contact an operator" },
  PSP_UNAVAILABLE: { title: "The payment provider does not answer; what was asked goes on under its key.", remedy: "retry" },
  PAUSED: { title: "Captures and charges are paused; what was asked goes on afterwards.", remedy: "retry" },
  OVERLOADED: {
    title: "More is under way than can be answered in time, so nothing was begun; wait as long as Retry-After says.",
    remedy: "retry",
  },
  UNAVAILABLE: { title: "A part that this request needs is not reachable.", remedy: "retry" },
  DEADLINE_EXCEEDED: {
    title: "The answer did not come in time; the same request again finds the outcome, by its key where it has one.",
    remedy: "retry",
  },
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
