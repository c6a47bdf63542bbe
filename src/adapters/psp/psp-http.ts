import { DomainError } from "../../base/errors.ts";
import type { BreakerState } from "../breaker.ts";
import { createPspAttempts, PSP_TIMEOUT_MS, type PspAttemptOptions } from "./psp-attempts.ts";
import { createPspExchange, type ProviderPayment, type Reply } from "./psp-exchange.ts";
import type { CardToken, Psp, PspOutcome, PspStep } from "./psp.ts";

/** The provider over HTTP, with the state of its breaker for metrics. */
export interface HttpPsp extends Psp {
  breakerState(): BreakerState;
}

export interface PspOptions extends PspAttemptOptions {
  /** Without it there is no provider: every call throws PSP_UNAVAILABLE. */
  readonly url: string | undefined;
  readonly apiKey: string | undefined;
}

/**
 * The payment provider at the configured address. An answer that is lost is looked up by its key before the same key is sent
 * again; a key is never replaced. After four attempts, or while the breaker is open, PSP_UNAVAILABLE: ask again later with the same key.
 * Of a card nothing is kept, logged or put into an error.
 */
export function createPsp(options: PspOptions): HttpPsp {
  const { url, apiKey } = options;
  if (url === undefined || apiKey === undefined) return noPsp();
  const timeoutMs = options.timeoutMs ?? PSP_TIMEOUT_MS;
  const exchange = createPspExchange({ url, apiKey, timeoutMs });
  const { persist, breakerState } = createPspAttempts({ ...options, timeoutMs });

  const pay = (kind: ProviderPayment["kind"], { key, ...step }: PspStep, subject: Record<string, string>): Promise<PspOutcome> =>
    persist({ step: kind, key, orderId: step.orderId }, async (again) => {
      const { orderId, amountMinor, currency } = step;
      const known = again ? await exchange.lookUp(key).then(found) : undefined;
      const payment =
        known ?? definite(await exchange.pay(kind, key, { orderId, currency, amountMinor: amountMinor.toString(), ...subject }));
      if (
        payment.status === "approved" &&
        (payment.kind !== kind || BigInt(payment.amountMinor) !== amountMinor || payment.currency !== currency)
      )
        throw new DomainError("CONFLICT", `the payment provider has another payment under the key of this ${kind}`);
      return outcomeOf(payment);
    });

  return {
    async tokenise(card): Promise<CardToken> {
      const { number, expiry, cvc, holderName } = card;
      const body = { number, expiry, cvc, ...(holderName === undefined ? {} : { holderName }) };
      const reply = await persist({ step: "tokenise" }, () => exchange.tokenise(body));
      if (reply.type === "value") return reply.value;
      if (reply.code === "invalid_card")
        throw new DomainError("INVALID_CARD", "the payment provider does not take this card", { pointer: reply.pointer ?? "/card/number" });
      throw misunderstood(reply);
    },
    keepToken: () =>
      Promise.reject(new DomainError("INVALID_CARD", "this payment provider takes cards and no tokens", { pointer: "/payment/token" })),
    authorise: ({ cardToken, ...step }) => pay("authorise", step, { cardToken }),
    capture: ({ authorisationKey, ...step }) => pay("capture", step, { authorisationKey }),
    cancel: ({ authorisationKey, ...step }) => pay("cancel", step, { authorisationKey }),
    refund: ({ captureKey, ...step }) => pay("refund", step, { captureKey }),
    async lookUp(key) {
      const payment = await persist({ step: "look-up", key }, () => exchange.lookUp(key).then(found));
      if (payment === undefined) return undefined;
      return { ...outcomeOf(payment), kind: payment.kind, amountMinor: BigInt(payment.amountMinor) };
    },
    breakerState,
  };
}

function found(reply: Reply<ProviderPayment>): ProviderPayment | undefined {
  return reply.type === "refused" && reply.status === 404 ? undefined : definite(reply);
}

function definite<Value>(reply: Reply<Value>): Value {
  if (reply.type === "value") return reply.value;
  throw misunderstood(reply);
}

function misunderstood(reply: { readonly status: number; readonly code: string }): DomainError {
  if (reply.code === "key_reused") return new DomainError("CONFLICT", "the payment provider has other content under this key");
  return new DomainError("INTERNAL", `the payment provider called the request wrong: ${reply.status} ${reply.code.slice(0, 64)}`);
}

function outcomeOf({ status, reference, reason }: ProviderPayment): PspOutcome {
  return status === "approved" ? { status, reference } : { status, reason: reason ?? "declined" };
}

function noPsp(): HttpPsp {
  const refuse = () => Promise.reject(new DomainError("PSP_UNAVAILABLE", "no payment provider is set up (PSP_URL, PSP_API_KEY)"));
  return {
    tokenise: refuse,
    keepToken: refuse,
    authorise: refuse,
    capture: refuse,
    cancel: refuse,
    refund: refuse,
    lookUp: refuse,
    breakerState: () => "closed",
  };
}
