import { DomainError } from "../../../base/errors.ts";
import { exponentOf } from "../../../base/money.ts";

/** Amounts of these are whole units at Stripe (https://docs.stripe.com/currencies#zero-decimal); ISO 4217 gives MGA two decimals. */
const WHOLE = new Set(["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]);
/** Has no decimals in ISO 4217, and two at Stripe. */
const TWO_AT_STRIPE = new Set(["ISK"]);
/** Stripe's page calls UGX both a currency of whole units and one of two decimals: a guess would be wrong by a factor of hundred. */
const UNCLEAR = new Set(["UGX"]);

/**
 * An amount as Stripe counts it. Throws: INVALID_CURRENCY for what no card pays in or Stripe counts unclearly, INVALID_AMOUNT for a part of
 * a unit that Stripe cannot take.
 */
export function toStripeAmount(amountMinor: bigint, currency: string): number {
  const { own, theirs } = exponentsOf(currency);
  const scaled = theirs >= own ? amountMinor * 10n ** BigInt(theirs - own) : amountMinor / 10n ** BigInt(own - theirs);
  const isWhole = fromScaled(scaled, { own, theirs }) === amountMinor;
  // The last of three decimals must be 0.
  if (!isWhole || (theirs === 3 && amountMinor % 10n !== 0n))
    throw new DomainError("INVALID_AMOUNT", `the payment provider takes no smaller part of ${currency}`);
  return Number(scaled);
}

/** An amount of Stripe's in minor units. Throws: INVALID_CURRENCY. */
export function fromStripeAmount(amount: number, currency: string): bigint {
  return fromScaled(BigInt(amount), exponentsOf(currency));
}

interface Exponents {
  readonly own: number;
  readonly theirs: number;
}

function fromScaled(amount: bigint, { own, theirs }: Exponents): bigint {
  return theirs >= own ? amount / 10n ** BigInt(theirs - own) : amount * 10n ** BigInt(own - theirs);
}

function exponentsOf(currency: string): Exponents {
  const own = exponentOf(currency);
  const theirs = WHOLE.has(currency) ? 0 : TWO_AT_STRIPE.has(currency) ? 2 : own;
  if (UNCLEAR.has(currency) || currency === "PTS" || ![0, 2, 3].includes(theirs))
    throw new DomainError("INVALID_CURRENCY", `the payment provider takes no cards in ${currency}`);
  return { own, theirs };
}
