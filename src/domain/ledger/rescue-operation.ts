import { rescueKeyPrefix } from "../../contract/ids.ts";
import type { HoldOwner } from "./hold-operations.ts";
import { available, revenue, type Operation, type Origin } from "./operations.ts";

/**
 * The key of a reservation's n-th try to be rescued. It is the reservation's and not the request's, so that of many late
 * confirmations one at most is paid; the next number is tried only once the one before it is known to be refused.
 */
export function rescueKey(reservationId: string, attempt: number): string {
  return `${rescueKeyPrefix(reservationId)}${attempt}`;
}

/**
 * Takes what an expired reservation gave back once more and makes revenue of it, in one movement: a hold that were opened and captured in
 * the same operation would count its amount twice. Refused with INSUFFICIENT_FUNDS.
 */
export function rescueOperation(
  input: HoldOwner & { readonly attempt: number; readonly amountMinor: bigint; readonly requestKey: string; readonly origin: Origin },
): Operation {
  return {
    key: rescueKey(input.holdId, input.attempt),
    kind: "capture",
    currency: input.currency,
    userId: input.userId,
    serviceId: input.serviceId,
    orderId: input.orderId,
    holdId: input.holdId,
    comment: "confirmed late: the reservation's time had passed, so the money was taken from the available balance",
    origin: input.origin,
    postings: [{ debit: available(input.userId), credit: revenue(input.serviceId), amountMinor: input.amountMinor }],
    // Another request is another content: it finds out that it is not the one that was paid.
    furtherContent: [input.requestKey],
  };
}
