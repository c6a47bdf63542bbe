import type { LinePart } from "../orders/dispute-lines.ts";
import { PSP, revenue, type Operation, type OperationKind, type Origin } from "./operations.ts";

/** Money of an order by card that moves after the order was completed, between its services' revenue and the payment provider. */
export interface LateMovement {
  readonly key: string;
  readonly orderId: string;
  readonly userId: string;
  readonly currency: string;
  readonly lines: readonly LinePart[];
  /** ISO 8601: the provider's time of it, which decides the month of the revenue. */
  readonly effectiveAt: string;
  readonly comment: string;
  readonly origin: Origin;
}

/** The card's bank takes a payment back: less revenue, less at the provider. */
export function disputeOperation(movement: LateMovement): Operation {
  return operationOf("dispute", movement);
}

/** The card's bank returns what it took: the revenue of the month in which it does so. */
export function disputeReversalOperation(movement: LateMovement): Operation {
  return operationOf("dispute_reversal", movement);
}

/** A refund did not reach the buyer, and its money is at the provider again. */
export function refundReversalOperation(movement: LateMovement): Operation {
  return operationOf("refund_reversal", movement);
}

function operationOf(kind: OperationKind, { lines, ...movement }: LateMovement): Operation {
  return {
    ...movement,
    kind,
    postings: lines.map(({ serviceId, amountMinor }) => {
      const service = revenue(serviceId);
      const sides = kind === "dispute" ? { debit: service, credit: PSP } : { debit: PSP, credit: service };
      return { ...sides, amountMinor: BigInt(amountMinor) };
    }),
  };
}
