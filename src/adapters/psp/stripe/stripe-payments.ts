import { PspFailure } from "../psp-failure.ts";
import type { PspOutcome, PspStep } from "../psp.ts";
import { toStripeAmount } from "./stripe-amounts.ts";
import {
  amountOf,
  authorisedBy,
  capturedBy,
  declined,
  finalCodeOf,
  refundedBy,
  required,
  requireSame,
  standingOf,
} from "./stripe-answers.ts";
import { KEY_NAME, ORDER_NAME, type StripeExchange, type StripeIntent, type StripeRefund } from "./stripe-exchange.ts";
import type { StripeRefusal } from "./stripe-refusal.ts";

/**
 * Which PaymentIntent an order's payment is, durably. Stripe forgets an Idempotency-Key after a day and finds by metadata only after a
 * minute; what is kept here is known for ever, before any money is asked for.
 */
export interface PaymentReferences {
  /** The order's PaymentIntent; null when the order was fenced before it had one; undefined when neither is so. */
  find(orderId: string): Promise<string | null | undefined>;
  /** Keeps the reference, or the fence (null), unless the order has one already; returns the one that stands. Safe to retry. */
  keep(orderId: string, reference: string | null): Promise<string | null>;
}

/** One attempt at each step of a payment; safe to make again. Throws: PspFailure while it cannot be told, CONFLICT, INTERNAL. */
export interface StripePayments {
  authorise(step: PspStep & { readonly cardToken: string }): Promise<PspOutcome>;
  /** `again` when an attempt came before: then the payment's state is read first. */
  capture(step: PspStep, again: boolean): Promise<PspOutcome>;
  cancel(step: PspStep): Promise<PspOutcome>;
  refund(step: PspStep): Promise<PspOutcome>;
  lookUp(key: string, place: { readonly orderId: string; readonly step: Step }): Promise<Standing | undefined>;
}

type Step = "authorise" | "capture" | "cancel" | "refund";
type Standing = PspOutcome & { readonly kind: Step; readonly amountMinor: bigint };

/** The payments of orders at Stripe: `createStripePsp` says how they are kept from happening twice. */
export function createStripePayments(exchange: StripeExchange, references: PaymentReferences): StripePayments {
  const read = (intentId: string) => readIntent(exchange, intentId);

  const authorise = async (step: PspStep & { readonly cardToken: string }): Promise<PspOutcome> => {
    const intent = await intentOf(exchange, references, step);
    if (intent === undefined) return declined("cancelled");
    if ("type" in intent) return declined(finalCodeOf(intent));
    requireSame(intent, step);
    if (intent.status !== "requires_confirmation") return settleAction(exchange, authorisedBy(intent), intent.id, step.key);
    const confirmed = await exchange.confirmIntent(intent.id, step.key);
    if (confirmed.type === "refused" && confirmed.decline !== undefined) return declined(confirmed.decline);
    const now = confirmed.type === "refused" ? await read(intent.id) : confirmed.value;
    if (now.status === "requires_confirmation" && confirmed.type === "refused") return declined(finalCodeOf(confirmed));
    return settleAction(exchange, authorisedBy(now), intent.id, step.key);
  };

  const capture = async (step: PspStep, again: boolean): Promise<PspOutcome> => {
    const intentId = await references.find(step.orderId);
    if (intentId === undefined || intentId === null) return declined("not_authorised");
    if (again) {
      const before = await read(intentId);
      if (before.status !== "requires_capture") return capturedBy(before, step);
    }
    const reply = await exchange.captureIntent(intentId, toStripeAmount(step.amountMinor, step.currency), step.key);
    const now = reply.type === "value" ? reply.value : await read(intentId);
    if (now.status === "requires_capture" && reply.type === "refused") return declined(finalCodeOf(reply));
    return capturedBy(now, step);
  };

  const cancel = async (step: PspStep): Promise<PspOutcome> => {
    const kept = (await references.find(step.orderId)) ?? (await references.keep(step.orderId, null));
    if (kept === null) return { status: "approved", reference: "none" };
    const before = await read(kept);
    if (before.status === "succeeded") return declined("already_captured");
    if (before.status === "canceled") return { status: "approved", reference: kept };
    const reply = await exchange.cancelIntent(kept, step.key);
    const now = reply.type === "value" ? reply.value : await read(kept);
    if (now.status === "canceled") return { status: "approved", reference: kept };
    if (now.status === "succeeded") return declined("already_captured");
    throw new PspFailure(`the payment is ${now.status}`);
  };

  const refundUnder = async (key: string, intentId: string): Promise<StripeRefund | undefined> =>
    required(await exchange.listRefunds(intentId), "the refunds of a payment").find(({ metadata }) => metadata?.[KEY_NAME] === key);

  const refund = async (step: PspStep): Promise<PspOutcome> => {
    const intentId = await references.find(step.orderId);
    if (intentId === undefined || intentId === null) return declined("not_captured");
    const known = await refundUnder(step.key, intentId);
    if (known !== undefined) return refundedBy(known, step);
    const metadata = { [ORDER_NAME]: step.orderId, [KEY_NAME]: step.key };
    const reply = await exchange.createRefund({ intentId, amount: toStripeAmount(step.amountMinor, step.currency), metadata }, step.key);
    return reply.type === "refused" ? declined(finalCodeOf(reply)) : refundedBy(reply.value, step);
  };

  return {
    authorise,
    capture,
    cancel,
    refund,
    async lookUp(key, { orderId, step }) {
      const intentId = await references.find(orderId);
      if (intentId === undefined || intentId === null) return undefined;
      if (step === "refund") {
        const found = await refundUnder(key, intentId);
        return found && { ...refundedBy(found), kind: step, amountMinor: amountOf(found.amount, found.currency) };
      }
      const intent = await read(intentId);
      const outcome = standingOf(step, intent);
      const amount = step === "capture" ? (intent.amount_received ?? intent.amount) : intent.amount;
      return outcome && { ...outcome, kind: step, amountMinor: amountOf(amount, intent.currency) };
    },
  };
}

async function readIntent(exchange: StripeExchange, intentId: string): Promise<StripeIntent> {
  return required(await exchange.readIntent(intentId), "a payment that was kept");
}

/** The order's PaymentIntent, made where there is none yet; undefined when the order was fenced. */
async function intentOf(
  exchange: StripeExchange,
  references: PaymentReferences,
  { key, orderId, ...step }: PspStep & { readonly cardToken: string },
): Promise<StripeIntent | StripeRefusal | undefined> {
  const known = await references.find(orderId);
  if (known === null) return undefined;
  if (known !== undefined) return readIntent(exchange, known);
  const created = await exchange.createIntent(
    {
      amount: toStripeAmount(step.amountMinor, step.currency),
      currency: step.currency,
      paymentMethod: step.cardToken,
      metadata: { [ORDER_NAME]: orderId, [KEY_NAME]: key },
    },
    `${key}:create`,
  );
  if (created.type === "refused") return created;
  const kept = await references.keep(orderId, created.value.id);
  if (kept === created.value.id) return created.value;
  // Another attempt was first, or the order was fenced: this one is never confirmed.
  return kept === null ? undefined : readIntent(exchange, kept);
}

// Nobody can be asked to identify themselves here: the buyer's own page would have had to do it before the order.
async function settleAction(exchange: StripeExchange, outcome: PspOutcome | "action", intentId: string, key: string): Promise<PspOutcome> {
  if (outcome !== "action") return outcome;
  const cancelled = await exchange.cancelIntent(intentId, `${key}:unanswered`);
  const { status } = cancelled.type === "value" ? cancelled.value : await readIntent(exchange, intentId);
  if (status !== "canceled") throw new PspFailure(`the payment is ${status}`);
  return declined("authentication_required");
}
