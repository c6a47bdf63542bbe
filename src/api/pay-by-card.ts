import type { Psp } from "../adapters/psp.ts";
import type { CheckedCard } from "../domain/card.ts";
import { DomainError } from "../errors.ts";

/** What is to be taken from a card. `id` stands for the request: the same one again goes on where it was. */
export interface CardPayment {
  readonly id: string;
  readonly card: CheckedCard;
  readonly amountMinor: bigint;
  readonly currency: string;
}

/**
 * Takes the money from a card: into the provider's vault, authorised, captured. When it returns the provider has the money.
 * Safe to retry: the provider does each of its keys once.
 * Throws: PAYMENT_DECLINED; INVALID_CARD; PSP_UNAVAILABLE (ask again with the same id); IDEMPOTENCY_CONFLICT when the id stood for another card or sum.
 */
export async function payByCard(psp: Psp | undefined, { id, card, amountMinor, currency }: CardPayment): Promise<void> {
  if (psp === undefined) throw new DomainError("PSP_UNAVAILABLE", "no payment provider is set up");
  const { number, expiry, cvc, holderName } = card;
  const { token } = await psp.tokenise({ number, expiry, cvc, ...(holderName === undefined ? {} : { holderName }) });
  const step = { orderId: id, amountMinor, currency };
  const authorisationKey = `purchase/${id}/authorise`;
  const authorised = await sameContent(psp.authorise({ ...step, key: authorisationKey, cardToken: token }));
  if (authorised.status === "declined") throw declined(authorised.reason);
  const captured = await sameContent(psp.capture({ ...step, key: `purchase/${id}/capture`, authorisationKey }));
  if (captured.status === "approved") return;
  await psp.cancel({ ...step, key: `purchase/${id}/cancel`, authorisationKey });
  throw declined(captured.reason);
}

function declined(reason: string): DomainError {
  return new DomainError("PAYMENT_DECLINED", `the payment provider declined the payment: ${reason}`);
}

async function sameContent<Value>(answer: Promise<Value>): Promise<Value> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DomainError && error.code === "CONFLICT") throw new DomainError("IDEMPOTENCY_CONFLICT", undefined, {}, error);
    throw error;
  }
}
