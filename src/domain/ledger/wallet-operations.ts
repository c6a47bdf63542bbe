import { available, EXTERNAL, PSP, revenue, UNASSIGNED_SERVICE, type Operation, type Origin } from "./operations.ts";

interface Movement {
  readonly key: string;
  readonly userId: string;
  readonly currency: string;
  readonly amountMinor: bigint;
  readonly comment: string;
  readonly origin: Origin;
}

/** Money comes in from outside to the user's available balance. */
export function depositOperation(input: Movement): Operation {
  return {
    kind: "deposit",
    postings: [{ debit: EXTERNAL, credit: available(input.userId), amountMinor: input.amountMinor }],
    ...common(input),
  };
}

/** Money leaves the user's available balance. Refused with INSUFFICIENT_FUNDS when there is less. */
export function withdrawalOperation(input: Movement): Operation {
  return {
    kind: "withdrawal",
    postings: [{ debit: available(input.userId), credit: EXTERNAL, amountMinor: input.amountMinor }],
    ...common(input),
  };
}

/** Money goes from one user to another. Refused with INSUFFICIENT_FUNDS. */
export function transferOperation(input: Movement & { readonly peerUserId: string }): Operation {
  return {
    kind: "transfer",
    peerUserId: input.peerUserId,
    postings: [{ debit: available(input.userId), credit: available(input.peerUserId), amountMinor: input.amountMinor }],
    ...common(input),
  };
}

export interface Purchase extends Movement {
  readonly paymentMethod: string;
  readonly occurredAt: string;
  readonly serviceId?: string;
  readonly orderId?: string;
}

/**
 * A purchase that happened elsewhere becomes revenue. Paid by `wallet` it debits the user's available balance and can be
 * refused; any other method is a fact settled by the payment provider. Without a service its revenue stands under `unassigned`.
 */
export function purchaseOperation(input: Purchase): Operation {
  const serviceId = input.serviceId ?? UNASSIGNED_SERVICE;
  const payer = input.paymentMethod === "wallet" ? available(input.userId) : PSP;
  return {
    kind: "charge",
    serviceId,
    effectiveAt: input.occurredAt,
    furtherContent: [input.paymentMethod, input.occurredAt],
    postings: [{ debit: payer, credit: revenue(serviceId), amountMinor: input.amountMinor }],
    ...(input.orderId === undefined ? {} : { orderId: input.orderId }),
    ...common(input),
  };
}

/** Points that a user got (`accrual`) or spent (`redemption`) elsewhere. A redemption is refused with INSUFFICIENT_FUNDS below zero. */
export function pointsOperation(input: Movement & { readonly type: "accrual" | "redemption"; readonly occurredAt: string }): Operation {
  const own = available(input.userId);
  const [debit, credit] = input.type === "accrual" ? [EXTERNAL, own] : [own, EXTERNAL];
  return {
    kind: input.type,
    effectiveAt: input.occurredAt,
    furtherContent: [input.occurredAt],
    postings: [{ debit, credit, amountMinor: input.amountMinor }],
    ...common(input),
  };
}

/** A payment that another service's saga asked for, or its refund. */
export interface SagaPayment extends Movement {
  readonly orderId: string;
  readonly serviceId?: string;
}

/** A saga's charge of the wallet. Refused with INSUFFICIENT_FUNDS. */
export function sagaChargeOperation(input: SagaPayment): Operation {
  const serviceId = input.serviceId ?? UNASSIGNED_SERVICE;
  return {
    kind: "charge",
    serviceId,
    orderId: input.orderId,
    postings: [{ debit: available(input.userId), credit: revenue(serviceId), amountMinor: input.amountMinor }],
    ...common(input),
  };
}

/** Gives a saga's charge back to the wallet. */
export function sagaRefundOperation(input: SagaPayment): Operation {
  const serviceId = input.serviceId ?? UNASSIGNED_SERVICE;
  return {
    kind: "refund",
    serviceId,
    orderId: input.orderId,
    postings: [{ debit: revenue(serviceId), credit: available(input.userId), amountMinor: input.amountMinor }],
    ...common(input),
  };
}

/** No order can have this id: see `idProblem`. */
const NO_ORDER = "..";

/**
 * A fence against a charge that comes after its refund: the charge's own key and content, but bound to an order that cannot exist, so
 * that the key is refused for ever. A charge that was done before stays done, and the result says so.
 */
export function sagaChargeFence(input: SagaPayment): Operation {
  return {
    ...sagaChargeOperation(input),
    comment: "refunded before it was charged: never to be charged",
    orderChange: { orderId: NO_ORDER, from: "STARTED", to: "FAILED", status: "CANCELLED" },
  };
}

// Spread last into each operation: V8 adds properties to a copy twenty times slower than it copies them into a new object.
function common(input: Movement): Pick<Operation, "key" | "userId" | "currency" | "comment" | "origin"> {
  return { key: input.key, userId: input.userId, currency: input.currency, comment: input.comment, origin: input.origin };
}
