import type { Stripe } from "stripe";
import { z } from "zod";
import { hashOf } from "../../../base/hash.ts";
import { PspFailure } from "../psp-failure.ts";
import { readStripeError, type StripeRefusal } from "./stripe-refusal.ts";

const id = z.string().min(1).max(255);

/** A PaymentIntent as far as it is needed. Amounts are Stripe's. */
const intentSchema = z.object({
  id: id.startsWith("pi_"),
  status: z.string(),
  amount: z.number().int(),
  amount_received: z.number().int().nullish(),
  currency: z.string(),
  cancellation_reason: z.string().nullish(),
  last_payment_error: z.object({ code: z.string().nullish(), decline_code: z.string().nullish() }).nullish(),
});
export type StripeIntent = z.infer<typeof intentSchema>;

const refundSchema = z.object({
  id,
  status: z.string().nullable(),
  amount: z.number().int(),
  currency: z.string(),
  failure_reason: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
});
export type StripeRefund = z.infer<typeof refundSchema>;

const cardMethodSchema = z.object({
  id,
  type: z.literal("card"),
  card: z.object({ last4: z.string().regex(/^\d{4}$/), brand: z.string().regex(/^[a-z_]{1,32}$/) }),
});
export type StripeCardMethod = z.infer<typeof cardMethodSchema>;

/** A refund in Stripe's list carries the permanent key that it was asked for with under this name; a PaymentIntent that of its authorisation. */
export const KEY_NAME = "saldo_key";
export const ORDER_NAME = "saldo_order";
/** Whose order it is, where several deployments are on one account. */
const DEPLOYMENT_NAME = "saldo_deployment";

export type StripeReply<Value> = { readonly type: "value"; readonly value: Value } | StripeRefusal;

interface IntentContent {
  readonly amount: number;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * One request each, without retries. `key` is the Idempotency-Key within the deployment. Throws: PspFailure when no definite answer came, and
 * what asking for the deployment throws.
 */
export interface StripeExchange {
  createIntent(content: IntentContent, key: string): Promise<StripeReply<StripeIntent>>;
  confirmIntent(intentId: string, key: string): Promise<StripeReply<StripeIntent>>;
  captureIntent(intentId: string, amount: number, key: string): Promise<StripeReply<StripeIntent>>;
  cancelIntent(intentId: string, key: string): Promise<StripeReply<StripeIntent>>;
  readIntent(intentId: string): Promise<StripeReply<StripeIntent>>;
  createRefund(
    content: { readonly intentId: string; readonly amount: number; readonly metadata: Readonly<Record<string, string>> },
    key: string,
  ): Promise<StripeReply<StripeRefund>>;
  /** Every refund of the payment. */
  listRefunds(intentId: string): Promise<StripeReply<StripeRefund[]>>;
  readCardMethod(methodId: string): Promise<StripeReply<StripeCardMethod>>;
  createCardMethod(card: Stripe.PaymentMethodCreateParams.Card, key: string): Promise<StripeReply<StripeCardMethod>>;
}

const PAGE = 100;

type Call = (stripe: Stripe, own: Own) => PromiseLike<unknown>;

/** What makes a request this deployment's. */
interface Own {
  key(key: string): { readonly idempotencyKey: string };
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Speaks to Stripe through its library. `deployment` is in every key and every payment: orders of two deployments may have one id, and Stripe
 * would answer the second one's first request with the first one's payment.
 */
export function createStripeExchange(open: () => Promise<Stripe>, deployment: () => Promise<string>): StripeExchange {
  const ask = async <Schema extends z.ZodType>(schema: Schema, call: Call): Promise<StripeReply<z.output<Schema>>> => {
    const [stripe, own] = await Promise.all([open(), deployment().then(ownOf)]);
    let answer: unknown;
    try {
      answer = await call(stripe, own);
    } catch (error) {
      return readStripeError(error);
    }
    const value = schema.safeParse(answer);
    if (!value.success) throw new PspFailure("the answer does not fit its schema");
    return { type: "value", value: value.data };
  };
  const intent = (call: Call) => ask(intentSchema, call);
  return {
    createIntent: ({ amount, currency, paymentMethod, metadata }, key) =>
      intent((stripe, own) =>
        stripe.paymentIntents.create(
          {
            amount,
            currency: currency.toLowerCase(),
            payment_method: paymentMethod,
            payment_method_types: ["card"],
            capture_method: "manual",
            metadata: { ...metadata, ...own.metadata },
          },
          own.key(key),
        ),
      ),
    confirmIntent: (intentId, key) => intent((stripe, own) => stripe.paymentIntents.confirm(intentId, {}, own.key(key))),
    captureIntent: (intentId, amount, key) =>
      intent((stripe, own) => stripe.paymentIntents.capture(intentId, { amount_to_capture: amount }, own.key(key))),
    cancelIntent: (intentId, key) => intent((stripe, own) => stripe.paymentIntents.cancel(intentId, {}, own.key(key))),
    readIntent: (intentId) => intent((stripe) => stripe.paymentIntents.retrieve(intentId)),
    createRefund: ({ intentId, amount, metadata }, key) =>
      ask(refundSchema, (stripe, own) =>
        stripe.refunds.create({ payment_intent: intentId, amount, metadata: { ...metadata, ...own.metadata } }, own.key(key)),
      ),
    listRefunds: (intentId) =>
      ask(z.array(refundSchema), async (stripe) => {
        const refunds: unknown[] = [];
        for await (const refund of stripe.refunds.list({ payment_intent: intentId, limit: PAGE })) refunds.push(refund);
        return refunds;
      }),
    readCardMethod: (methodId) => ask(cardMethodSchema, (stripe) => stripe.paymentMethods.retrieve(methodId)),
    createCardMethod: (card, key) =>
      ask(cardMethodSchema, (stripe, own) => stripe.paymentMethods.create({ type: "card", card }, own.key(key))),
  };
}

const MAX_KEY_LENGTH = 255;

/** The key as Stripe takes it: the deployment's and the operation's own, or its hash where that is too long. */
function ownOf(deployment: string): Own {
  const prefix = `${deployment}:`;
  return {
    key(key) {
      const isLong = prefix.length + key.length > MAX_KEY_LENGTH;
      return { idempotencyKey: prefix + (isLong ? `saldo:${hashOf([key])}` : key) };
    },
    metadata: { [DEPLOYMENT_NAME]: deployment },
  };
}
