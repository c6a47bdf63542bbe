import { setTimeout as sleepFor } from "node:timers/promises";
import { bulkhead } from "cockatiel";
import { DomainError, messageOf } from "../../base/errors.ts";
import type { BreakerState } from "../breaker.ts";
import type { Log } from "../log.ts";
import { createPspBreaker } from "./psp-breaker.ts";
import { createPspExchange, type ProviderPayment, type Reply } from "./psp-exchange.ts";
import { PspFailure } from "./psp-failure.ts";
import type { CardToken, Psp, PspOutcome, PspStep } from "./psp.ts";

/** The provider over HTTP, with the state of its breaker for metrics. */
export interface HttpPsp extends Psp {
  breakerState(): BreakerState;
}

export interface PspOptions {
  /** Without it there is no provider: every call throws PSP_UNAVAILABLE. */
  readonly url: string | undefined;
  readonly apiKey: string | undefined;
  /** How long one request may take. */
  readonly timeoutMs?: number;
  readonly logger: Log;
  readonly onBreakerState?: (state: BreakerState) => void;
  readonly breaker?: { readonly failures?: number; readonly openMs?: number };
  /** For tests: how the waits between attempts pass. */
  readonly sleep?: (ms: number) => Promise<void>;
  /** For tests: 0 to 1, as Math.random. */
  readonly random?: () => number;
}

const TIMEOUT_MS = 3_000;
/** One call and three retries (S1-71, C-11). */
const RETRY_DELAYS_MS = [100, 200, 400];
const JITTER = 0.1;
/** Requests of this process at a time: what a provider that hangs can tie up, and what reaches it before the breaker opens. */
const MAX_IN_FLIGHT = 64;

/**
 * The payment provider at the configured address. An answer that is lost is looked up by its key before the same key is sent
 * again; a key is never replaced. After four attempts, or while the breaker is open, PSP_UNAVAILABLE: ask again later with the same key.
 * Of a card nothing is kept, logged or put into an error.
 */
export function createPsp(options: PspOptions): HttpPsp {
  const { url, apiKey, logger } = options;
  if (url === undefined || apiKey === undefined) return noPsp();
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const exchange = createPspExchange({ url, apiKey, timeoutMs });
  const breaker = createPspBreaker({ probeMs: timeoutMs, log: logger, onState: options.onBreakerState, ...options.breaker });
  const gate = bulkhead(MAX_IN_FLIGHT, Number.POSITIVE_INFINITY);
  const sleep = options.sleep ?? ((ms: number) => sleepFor(ms));
  const random = options.random ?? Math.random;

  /** Runs the attempt up to four times. `attempt` is told whether one before it may have had an effect. */
  const persist = async <Value>(what: object, attempt: (again: boolean) => Promise<Value>): Promise<Value> => {
    for (let number = 1; ; number += 1) {
      try {
        return await gate.execute(() => breaker.run(() => attempt(number > 1)));
      } catch (error) {
        if (!(error instanceof PspFailure)) throw error;
        const delayMs = RETRY_DELAYS_MS[number - 1];
        const tooLong = error.retryAfterMs !== undefined && error.retryAfterMs > (delayMs ?? 0);
        const goesOn = delayMs !== undefined && !tooLong && !error.hopeless;
        logger.warn(
          { event: "psp.attempt", ...what, attempt: number, reason: messageOf(error), goesOn },
          "the payment provider gave no answer",
        );
        if (!goesOn) throw unavailable(error);
        await sleep(delayMs * (1 + JITTER * (2 * random() - 1)));
      }
    }
  };

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
    authorise: ({ cardToken, ...step }) => pay("authorise", step, { cardToken }),
    capture: ({ authorisationKey, ...step }) => pay("capture", step, { authorisationKey }),
    cancel: ({ authorisationKey, ...step }) => pay("cancel", step, { authorisationKey }),
    refund: ({ captureKey, ...step }) => pay("refund", step, { captureKey }),
    async lookUp(key) {
      const payment = await persist({ step: "look-up", key }, () => exchange.lookUp(key).then(found));
      if (payment === undefined) return undefined;
      return { ...outcomeOf(payment), kind: payment.kind, amountMinor: BigInt(payment.amountMinor) };
    },
    breakerState: breaker.state,
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

function unavailable({ retryAfterMs }: PspFailure): DomainError {
  return new DomainError(
    "PSP_UNAVAILABLE",
    "the payment provider gave no definite answer; the same key is asked for again later",
    retryAfterMs === undefined ? {} : { retryAfterMs: String(retryAfterMs) },
  );
}

function noPsp(): HttpPsp {
  const refuse = () => Promise.reject(new DomainError("PSP_UNAVAILABLE", "no payment provider is set up (PSP_URL, PSP_API_KEY)"));
  return {
    tokenise: refuse,
    authorise: refuse,
    capture: refuse,
    cancel: refuse,
    refund: refuse,
    lookUp: refuse,
    breakerState: () => "closed",
  };
}
