import { randomUUID } from "node:crypto";
import { DomainError } from "../../../base/errors.ts";
import { hashOf } from "../../../base/hash.ts";
import { readPaymentKey } from "../../../contract/ids.ts";
import { createPspAttempts, PSP_TIMEOUT_MS, type PspAttemptOptions } from "../psp-attempts.ts";
import type { HttpPsp } from "../psp-http.ts";
import type { CardDetails, CardToken, PspOutcome, PspStep } from "../psp.ts";
import { createStripeExchange, type StripeCardMethod, type StripeReply } from "./stripe-exchange.ts";
import { openStripe } from "./stripe-library.ts";
import { createStripePayments, type PaymentReferences } from "./stripe-payments.ts";

export interface StripePspOptions extends PspAttemptOptions {
  readonly url: string;
  readonly secretKey: string;
  readonly references: PaymentReferences;
  /** Names this deployment, the same in all of its processes. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
  readonly deployment: () => Promise<string>;
  /** Whether card numbers may pass through Saldo to Stripe: only an account with the rights for raw card data may send them. */
  readonly rawCards: "allow" | "refuse";
}

/**
 * Stripe's API as a payment provider: a PaymentIntent with manual capture per order. It is created unconfirmed, which asks for no money, and
 * kept under its order; only the one that was kept is ever confirmed, so no order is charged twice, whatever dies or is asked again, and
 * however late. What became of a confirmation, capture or cancellation is read from the PaymentIntent's state, of a refund from the list of
 * the payment's refunds, so a stored answer of Stripe's never hides it.
 */
export function createStripePsp(options: StripePspOptions): HttpPsp {
  const { url, secretKey, references, deployment, rawCards } = options;
  const timeoutMs = options.timeoutMs ?? PSP_TIMEOUT_MS;
  const { persist, breakerState } = createPspAttempts({ ...options, timeoutMs });
  const exchange = createStripeExchange(openStripe({ url, secretKey, timeoutMs }), deployment);

  const payments = createStripePayments(exchange, references);

  const tokenOf = (reply: StripeReply<StripeCardMethod>, pointer: string): CardToken => {
    if (reply.type === "value") return { token: reply.value.id, last4: reply.value.card.last4, brand: reply.value.card.brand };
    throw new DomainError("INVALID_CARD", "the payment provider does not take this card", { pointer });
  };

  const doing =
    <Step extends PspStep>(name: string, act: (step: Step, again: boolean) => Promise<PspOutcome>) =>
    (step: Step): Promise<PspOutcome> =>
      persist({ step: name, key: step.key, orderId: step.orderId }, (again) => act(step, again));

  return {
    async tokenise(card) {
      if (rawCards === "refuse") throw new DomainError("RAW_CARD_REFUSED", undefined, { pointer: "/payment/card" });
      const key = randomUUID();
      return tokenOf(await persist({ step: "tokenise" }, () => exchange.createCardMethod(cardOf(card), key)), "/card/number");
    },
    async keepToken(token) {
      const pointer = "/payment/token";
      if (/^pm_\w{1,200}$/.test(token)) return tokenOf(await persist({ step: "token" }, () => exchange.readCardMethod(token)), pointer);
      if (!/^tok_\w{1,200}$/.test(token))
        throw new DomainError("INVALID_CARD", "a token of the payment provider begins with pm_ or tok_", { pointer });
      // A tok_ is good for one use: its key is made of it, so that a repeat within a day has the same payment method.
      const key = `saldo:token:${hashOf([token])}`;
      return tokenOf(await persist({ step: "token" }, () => exchange.createCardMethod({ token }, key)), pointer);
    },
    authorise: doing("authorise", payments.authorise),
    capture: doing("capture", payments.capture),
    cancel: doing("cancel", payments.cancel),
    refund: doing("refund", payments.refund),
    async lookUp(key) {
      const place = readPaymentKey(key);
      if (place === undefined) return undefined;
      return persist({ step: "look-up", key }, () => payments.lookUp(key, place));
    },
    breakerState,
  };
}

function cardOf({ number, expiry, cvc }: CardDetails) {
  const [month, year] = expiry.split("/");
  return { number, exp_month: Number(month), exp_year: 2000 + Number(year), cvc };
}
