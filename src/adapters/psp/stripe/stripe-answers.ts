import { DomainError } from "../../../base/errors.ts";
import { PspFailure } from "../psp-failure.ts";
import type { PspOutcome, PspStep } from "../psp.ts";
import { fromStripeAmount, toStripeAmount } from "./stripe-amounts.ts";
import type { StripeIntent, StripeRefund, StripeReply } from "./stripe-exchange.ts";
import { stripeCode, type StripeRefusal } from "./stripe-refusal.ts";

/** What a PaymentIntent says of the step; undefined when the step was never done. */
export function standingOf(step: "authorise" | "capture" | "cancel", intent: StripeIntent): PspOutcome | undefined {
  const done = { status: "approved", reference: intent.id } as const;
  switch (step) {
    case "authorise": {
      const outcome = intent.status === "requires_confirmation" ? undefined : authorisedBy(intent);
      return outcome === "action" ? undefined : outcome;
    }
    case "capture":
      return intent.status === "succeeded" ? done : undefined;
    case "cancel":
      return intent.status === "canceled" ? done : undefined;
  }
}

/** What a PaymentIntent that was confirmed says of the authorisation; `action` when the buyer would have to identify themselves. Throws: PspFailure. */
export function authorisedBy({ id, status, last_payment_error: error, cancellation_reason: reason }: StripeIntent): PspOutcome | "action" {
  switch (status) {
    case "requires_capture":
    case "succeeded":
      return { status: "approved", reference: id };
    case "requires_action":
      return "action";
    case "requires_payment_method":
      return declined(stripeCode(error?.decline_code) ?? stripeCode(error?.code) ?? "declined");
    case "canceled":
      return declined(stripeCode(reason) ?? "canceled");
    default:
      throw new PspFailure(`the payment is ${status.slice(0, 64)}`);
  }
}

/** What a PaymentIntent says of a capture that was asked for. Throws: PspFailure, CONFLICT. */
export function capturedBy(intent: StripeIntent, step: PspStep): PspOutcome {
  if (intent.status === "canceled") return declined(stripeCode(intent.cancellation_reason) ?? "canceled");
  if (intent.status === "requires_payment_method") return declined("not_authorised");
  if (intent.status !== "succeeded") throw new PspFailure(`the payment is ${intent.status.slice(0, 64)}`);
  requireSame({ ...intent, amount: intent.amount_received ?? intent.amount }, step);
  return { status: "approved", reference: intent.id };
}

/** What a refund says of itself. Throws: CONFLICT when it is not the one of the step. */
export function refundedBy(refund: StripeRefund, step?: PspStep): PspOutcome {
  if (step !== undefined) requireSame(refund, step);
  // A refund that is still on its way counts as given back: `refund.failed` tells later when it does not arrive.
  if (refund.status === "failed" || refund.status === "canceled") return declined(stripeCode(refund.failure_reason) ?? "refund_failed");
  return { status: "approved", reference: refund.id };
}

/** Passes for the amount and currency of the step. Throws: CONFLICT. */
export function requireSame(theirs: { readonly amount: number; readonly currency: string }, step: PspStep): void {
  if (theirs.amount !== toStripeAmount(step.amountMinor, step.currency) || theirs.currency.toUpperCase() !== step.currency)
    throw new DomainError("CONFLICT", "the payment provider has another payment under the key of this step");
}

/** A refusal that is an answer, as a reason; one that says that Saldo asked wrongly is no answer to the order. Throws: INTERNAL. */
export function finalCodeOf({ status, code, decline }: StripeRefusal): string {
  if (decline !== undefined) return decline;
  if (FINAL_CODES.has(code)) return code;
  throw new DomainError("INTERNAL", `the payment provider called the request wrong: ${status} ${code}`);
}

/** Codes of Stripe's invalid requests that say something of the payment or the card, not of the request's form. */
const FINAL_CODES: ReadonlySet<string> = new Set([
  "amount_too_large",
  "amount_too_small",
  "capture_charge_authorization_expired",
  "charge_already_captured",
  "charge_already_refunded",
  "charge_disputed",
  "charge_exceeds_source_limit",
  "charge_expired_for_capture",
  "expired_card",
  "payment_intent_unexpected_state",
  "payment_method_unexpected_state",
  "refund_disputed_payment",
  "resource_missing",
]);

/** The value of a read that cannot be refused for any reason of the payment. Throws: PspFailure. */
export function required<Value>(reply: StripeReply<Value>, what: string): Value {
  if (reply.type === "value") return reply.value;
  // Another account's key, or Stripe's test data was deleted: nothing is concluded from it.
  throw new PspFailure(`${what} cannot be read: ${reply.status} ${reply.code}`, { hopeless: true });
}

/** A definite no, with a code. */
export function declined(reason: string): PspOutcome {
  return { status: "declined", reason };
}

/** Stripe's amount in minor units; its currencies are in small letters. Throws: INVALID_CURRENCY. */
export function amountOf(amount: number, currency: string): bigint {
  return fromStripeAmount(amount, currency.toUpperCase());
}
