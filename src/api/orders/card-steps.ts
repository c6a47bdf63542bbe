import type { OrderFact } from "../../store/orders/order-story.ts";
import type { OrderRecord } from "../../store/orders/orders.ts";

/** One thing that was done with a card. */
export interface CardStep {
  readonly at: Date;
  readonly status: "authorised" | "captured" | "refunded" | "cancelled" | "declined";
  readonly amountMinor: bigint;
  readonly correlationId?: string;
}

/**
 * What was done with the card that pays an order, oldest first; nothing for a wallet, whose money the ledger tells of. A step
 * of which the row keeps no time has that of what was written right after it, and where nothing was, of the row's last change.
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
  // A capture that was undone was never booked, so neither is its refund.
  if (sagaState !== "COMPLETED" && status === "refunded") steps.push(step("refunded", refundedMinor, refundedAt));
  // What was never authorised was not released either.
  if (status === "declined" || (status === "cancelled" && authorisedMinor > 0n)) steps.push(step(status, authorisedMinor, endedAt));
  return steps;
}
