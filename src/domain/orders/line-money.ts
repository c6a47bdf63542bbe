import type { PaymentStatus } from "../../contract/orders.ts";

/** Where the money of one line of an order is, in minor units. */
export interface LineMoney {
  /** Set aside in the wallet, authorised at the card, or asked of another service: not paid yet. */
  readonly heldMinor: bigint;
  /** Paid, before anything was given back. */
  readonly capturedMinor: bigint;
  /** Back with the buyer, or on its way back. */
  readonly givenBackMinor: bigint;
}

/**
 * Where the money of a line is. All lines of an order are held and captured together, all or nothing, so the order's payment tells it; a
 * refund may be of some lines only.
 */
export function lineMoneyOf(
  line: { readonly amountMinor: bigint; readonly refundedMinor?: bigint },
  payment:
    | {
        readonly status: PaymentStatus;
        readonly authorisedMinor: bigint;
        readonly capturedMinor: bigint;
        readonly refundedMinor: bigint;
      }
    | undefined,
): LineMoney {
  const { amountMinor, refundedMinor = 0n } = line;
  const none = { heldMinor: 0n, capturedMinor: 0n, givenBackMinor: 0n };
  if (payment === undefined) return none;
  if (payment.capturedMinor > 0n) {
    // An undone order gives everything back without a refund's row.
    const isAllBack = payment.refundedMinor === payment.capturedMinor;
    return { ...none, capturedMinor: amountMinor, givenBackMinor: isAllBack ? amountMinor : refundedMinor };
  }
  if (payment.authorisedMinor === 0n) return none;
  return payment.status === "authorised" ? { ...none, heldMinor: amountMinor } : { ...none, givenBackMinor: amountMinor };
}
