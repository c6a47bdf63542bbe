/** A card as the client sent it. It exists in memory only, between the request and the provider's vault. */
export interface CardDetails {
  readonly number: string;
  /** `MM/YY`. */
  readonly expiry: string;
  readonly cvc: string;
  readonly holderName?: string;
}

/** What is left of a card once the provider's vault has it. */
export interface CardToken {
  readonly token: string;
  readonly last4: string;
  readonly brand: string;
}

/** What became of a step at the provider. `reference` is the provider's own id of it. */
export type PspOutcome =
  | { readonly status: "approved"; readonly reference: string }
  | { readonly status: "declined"; readonly reason: string };

export interface PspStep {
  /** Stable per order and step, never per attempt: the provider does a key once. */
  readonly key: string;
  readonly orderId: string;
  readonly amountMinor: bigint;
  readonly currency: string;
}

/**
 * The payment service provider. A call whose answer is lost is resolved by looking its key up, and is sent again under the same
 * key only; what comes back is always definite.
 * Throws: PSP_UNAVAILABLE (retry later, same key) when it cannot be told yet, or when the breaker is open.
 */
export interface Psp {
  /** Throws: INVALID_CARD, RAW_CARD_REFUSED when card numbers are not to pass through Saldo, PSP_UNAVAILABLE. */
  tokenise(card: CardDetails): Promise<CardToken>;
  /**
   * The card behind a token that the client has from the provider itself. A token that is good for one use is exchanged for one that can be
   * asked for again. Throws: INVALID_CARD, also where the provider has no such tokens; PSP_UNAVAILABLE.
   */
  keepToken(token: string): Promise<CardToken>;
  authorise(step: PspStep & { readonly cardToken: string }): Promise<PspOutcome>;
  /** Takes the authorised money. `authorisationKey` is the key the authorisation was asked for with. */
  capture(step: PspStep & { readonly authorisationKey: string }): Promise<PspOutcome>;
  /** Undoes an authorisation that was not captured. One that never arrived is fenced: it is declined should it arrive later. */
  cancel(step: PspStep & { readonly authorisationKey: string }): Promise<PspOutcome>;
  /** Gives captured money back, all or part, never more than was captured. */
  refund(step: PspStep & { readonly captureKey: string }): Promise<PspOutcome>;
  /** What stands under a key, or undefined when the provider never saw it. */
  lookUp(key: string): Promise<(PspOutcome & { readonly kind: string; readonly amountMinor: bigint }) | undefined>;
}
