import { rescueKeyPrefix } from "../../contract/ids.ts";
import type { HoldOwner } from "./hold-operations.ts";
import { available, revenue, type Operation, type Origin } from "./operations.ts";

/**
 * The key of the n-th try to rescue a reservation. It is made of the reservation and not of the request, so that of many late
 * confirmations one at most is paid; the next number is tried only once the try before it is known to be refused.
 */
export function rescueKey(reservationId: string, attempt: number): string {
  return `${rescueKeyPrefix(reservationId)}${attempt}`;
}

/**
 * Takes what an expired reservation gave back once more and makes revenue of it, in one movement: a hold opened and captured in the same
 * operation would count its amount twice. Refused with INSUFFICIENT_FUNDS.
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
    // The request is content: a second request under this key gets a conflict and so learns that another one was paid.
    furtherContent: [input.requestKey],
  };
}
