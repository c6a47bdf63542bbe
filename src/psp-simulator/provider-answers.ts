import type { PaymentEntry } from "./book.ts";
import type { Behaviour } from "./scripts.ts";
import type { PaymentAnswer } from "./wire.ts";

/** The provider's answer to a request; `hang` is no answer at all. */
export type Answer = { readonly status: number; readonly body: object; readonly retryAfterSeconds?: number } | "hang";

const RETRY_AFTER_SECONDS = 1;

/** An error in the provider's form. */
export function refused(status: number, code: string, message: string, pointer?: string): Exclude<Answer, "hang"> {
  return { status, body: { error: { code, message, ...(pointer === undefined ? {} : { pointer }) } } };
}

/** The 500 that hides whether a step was executed. */
export function internalError(): Answer {
  return refused(500, "internal", "something went wrong");
}

/** A step as it stands in the book, as an answer. */
export function paymentAnswer({ key, kind, status, reason, reference, orderId, amountMinor, currency }: PaymentEntry): Answer {
  const body: PaymentAnswer = {
    key,
    kind,
    status,
    ...(reason === undefined ? {} : { reason }),
    reference,
    orderId,
    amountMinor,
    currency,
  };
  return { status: 200, body };
}

/** The answer of a behaviour that executes nothing; undefined when the request is to be executed. */
export function answerWithoutEffect(behaviour: Behaviour): Answer | undefined {
  if (behaviour === "hang") return "hang";
  if (behaviour === "5xx") return refused(503, "unavailable", "try again later");
  if (behaviour === "429") return { ...refused(429, "rate_limited", "too many requests"), retryAfterSeconds: RETRY_AFTER_SECONDS };
  return undefined;
}

/** The answer of a behaviour that hides what was executed; undefined when the true answer is given. */
export function answerAfterEffect(behaviour: Behaviour): Answer | undefined {
  if (behaviour === "charge-then-hang") return "hang";
  return behaviour === "charge-then-500" || behaviour === "stored-500-charged" ? internalError() : undefined;
}
