import type { OrderFact } from "../store/order-story.ts";
import type { OrderRecord } from "../store/orders.ts";

/** One thing that was done with a card. */
export interface CardStep {
  readonly at: Date;
  readonly status: "authorised" | "captured" | "refunded" | "cancelled" | "declined";
  readonly amountMinor: bigint;
  readonly correlationId?: string;
}

/**
 * What was done with the card that pays an order, oldest first; nothing for a wallet, whose money the ledger tells of. The payment's row
 * keeps what was done and not when: a step has the time of what was written right after it, and where nothing was, of the row's last change.
 */
export function cardStepsOf({ payment, sagaState }: Pick<OrderRecord, "payment" | "sagaState">, facts: readonly OrderFact[]): CardStep[] {
  if (payment === undefined || payment.method !== "card") return [];
  const { status, authorisedMinor, capturedMinor, refundedMinor, updatedAt } = payment;
  const pending = facts.find((fact) => fact.kind === "state" && fact.sagaState === "PAYMENT_PENDING");
  const booked = (operation: string) =>
    facts.filter((fact) => fact.kind === "ledger" && fact.operation === operation && fact.refusalCode === undefined);
  const step = (of: CardStep["status"], amountMinor: bigint, after: OrderFact | undefined): CardStep => ({
    at: after?.at ?? updatedAt,
    status: of,
    amountMinor,
    ...(after?.correlationId === undefined ? {} : { correlationId: after.correlationId }),
  });
  const steps: CardStep[] = [];
  if (authorisedMinor > 0n) steps.push(step("authorised", authorisedMinor, pending));
  if (capturedMinor > 0n) steps.push(step("captured", capturedMinor, booked("charge")[0]));
  for (const fact of booked("refund")) if (fact.kind === "ledger") steps.push(step("refunded", BigInt(fact.amountMinor), fact));
  // A capture that was undone was never booked, so neither is its refund.
  if (sagaState !== "COMPLETED" && status === "refunded") steps.push(step("refunded", refundedMinor, undefined));
  if (status === "cancelled" || status === "declined") steps.push(step(status, authorisedMinor, undefined));
  return steps;
}
