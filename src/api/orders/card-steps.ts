import type { OrderFact } from "../../store/orders/order-story.ts";
import type { OrderRecord } from "../../store/orders/orders.ts";

/** One step of a card's payment. */
export interface CardStep {
  readonly at: Date;
  readonly status: "authorised" | "captured" | "refunded" | "cancelled" | "declined";
  readonly amountMinor: bigint;
  readonly correlationId?: string;
}

/**
 * The steps of the card payment of an order, oldest first; none for a wallet, whose movements are facts of the ledger. A step whose time
 * the payment's row does not keep has the time of the fact that was written right after it; without such a fact, of the row's last change.
 */
export function cardStepsOf({ payment, sagaState }: Pick<OrderRecord, "payment" | "sagaState">, facts: readonly OrderFact[]): CardStep[] {
  if (payment === undefined || payment.method !== "card") return [];
  const { status, authorisedMinor, capturedMinor, refundedMinor, updatedAt, authorisedAt, capturedAt, refundedAt, endedAt } = payment;
  const pending = facts.find((fact) => fact.kind === "state" && fact.sagaState === "PAYMENT_PENDING");
  const booked = (operation: string) =>
    facts.filter((fact) => fact.kind === "ledger" && fact.operation === operation && fact.refusalCode === undefined);
  const step = (of: CardStep["status"], amountMinor: bigint, at: Date | undefined, after?: OrderFact): CardStep => ({
    at: at ?? after?.at ?? updatedAt,
    status: of,
    amountMinor,
    ...(after?.correlationId === undefined ? {} : { correlationId: after.correlationId }),
  });
  const steps: CardStep[] = [];
  if (authorisedMinor > 0n) steps.push(step("authorised", authorisedMinor, authorisedAt, pending));
  if (capturedMinor > 0n) steps.push(step("captured", capturedMinor, capturedAt, booked("charge")[0]));
  for (const fact of booked("refund")) if (fact.kind === "ledger") steps.push(step("refunded", BigInt(fact.amountMinor), fact.at, fact));
  // The refund of a capture that was undone is no fact of the ledger, as the capture was not booked either.
  if (sagaState !== "COMPLETED" && status === "refunded") steps.push(step("refunded", refundedMinor, refundedAt));
  // A payment that was never authorised has nothing to release.
  if (status === "declined" || (status === "cancelled" && authorisedMinor > 0n)) steps.push(step(status, authorisedMinor, endedAt));
  return steps;
}
