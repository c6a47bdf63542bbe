import type { OrderLine, PaymentMethod } from "../../contract/orders.ts";
import type { RefundLine } from "../../contract/refunds.ts";
import { available, held, PSP, revenue, type HoldOpening, type Operation, type OrderChange, type Origin } from "./operations.ts";

/** The id of the hold behind one line of an order. */
export function orderHoldId(orderId: string, lineNo: number): string {
  return `order/${orderId}/${lineNo}`;
}

/** A hold as far as an operation on it must know it. */
export interface HoldOwner {
  readonly holdId: string;
  readonly userId: string;
  readonly serviceId: string;
  readonly orderId: string;
  readonly currency: string;
}

interface Request {
  readonly key: string;
  readonly comment: string;
  readonly origin: Origin;
}

/** Sets the amount aside from the user's available balance. Refused with INSUFFICIENT_FUNDS. */
export function placeHoldOperation(
  input: Request & HoldOwner & { readonly amountMinor: bigint; readonly expiresAt: string; readonly requestHash: string },
): Operation {
  return {
    ...ofHold(input),
    kind: "hold",
    postings: [
      {
        debit: available(input.userId),
        credit: held(input.userId),
        amountMinor: input.amountMinor,
        hold: { id: input.holdId, effect: "open" },
      },
    ],
    opens: [
      {
        id: input.holdId,
        purpose: "reservation",
        userId: input.userId,
        serviceId: input.serviceId,
        orderId: input.orderId,
        lineNo: 1,
        expiresAt: input.expiresAt,
        requestHash: input.requestHash,
      },
    ],
  };
}

/** Turns held money into the service's revenue: the amount, or all that is still held. Refused when the hold is closed or smaller. */
export function captureHoldOperation(input: Request & HoldOwner & { readonly amountMinor: bigint | "remainder" }): Operation {
  return {
    ...ofHold(input),
    kind: "capture",
    postings: [
      {
        debit: held(input.userId),
        credit: revenue(input.serviceId),
        amountMinor: input.amountMinor,
        hold: { id: input.holdId, effect: "capture" },
      },
    ],
  };
}

/** Gives all that is still held back to the available balance: asked for (`release`) or because its time passed (`expire`). */
export function releaseHoldOperation(input: Request & HoldOwner & { readonly effect: "release" | "expire" }): Operation {
  return {
    ...ofHold(input),
    kind: input.effect === "expire" ? "expiry" : "release",
    postings: [
      {
        debit: held(input.userId),
        credit: available(input.userId),
        amountMinor: "remainder",
        hold: { id: input.holdId, effect: input.effect },
      },
    ],
  };
}

/** An order as far as its money must know it. */
export interface OrderOfLines extends Request {
  readonly orderId: string;
  readonly userId: string;
  readonly currency: string;
  readonly lines: readonly OrderLine[];
  readonly orderChange?: OrderChange;
}

/** Holds all lines of an order in one operation: the sum is covered or nothing is held. */
export function holdOrderOperation(input: OrderOfLines & { readonly expiresAt: string; readonly requestHash: string }): Operation {
  return {
    ...ofOrder(input),
    kind: "hold",
    postings: input.lines.map((line) => ({
      debit: available(input.userId),
      credit: held(input.userId),
      amountMinor: BigInt(line.amountMinor),
      hold: { id: orderHoldId(input.orderId, line.lineNo), effect: "open" },
    })),
    opens: input.lines.map((line): HoldOpening => ({
      id: orderHoldId(input.orderId, line.lineNo),
      purpose: "order",
      userId: input.userId,
      serviceId: line.serviceId,
      orderId: input.orderId,
      lineNo: line.lineNo,
      expiresAt: input.expiresAt,
      requestHash: input.requestHash,
    })),
  };
}

/** Captures every line of an order into its service's revenue, all or nothing. */
export function captureOrderOperation(input: OrderOfLines): Operation {
  return {
    ...ofOrder(input),
    kind: "capture",
    postings: input.lines.map((line) => ({
      debit: held(input.userId),
      credit: revenue(line.serviceId),
      amountMinor: "remainder" as const,
      hold: { id: orderHoldId(input.orderId, line.lineNo), effect: "capture" as const },
    })),
  };
}

/** Gives every line's held money back, all or nothing. */
export function releaseOrderOperation(input: OrderOfLines): Operation {
  return {
    ...ofOrder(input),
    kind: "release",
    postings: input.lines.map((line) => ({
      debit: held(input.userId),
      credit: available(input.userId),
      amountMinor: "remainder" as const,
      hold: { id: orderHoldId(input.orderId, line.lineNo), effect: "release" as const },
    })),
  };
}

/** Books what the payment provider has taken for every line of an order, all or nothing. */
export function chargeOrderOperation(input: OrderOfLines & { readonly effectiveAt?: string }): Operation {
  return {
    ...ofOrder(input),
    kind: "charge",
    ...(input.effectiveAt === undefined ? {} : { effectiveAt: input.effectiveAt }),
    postings: input.lines.map((line) => ({ debit: PSP, credit: revenue(line.serviceId), amountMinor: BigInt(line.amountMinor) })),
  };
}

/** Gives back parts of an order's lines: less revenue, more in the user's wallet or at the payment provider. */
export function refundOrderOperation(
  input: Omit<OrderOfLines, "lines"> & { readonly paymentMethod: PaymentMethod; readonly lines: readonly RefundLine[] },
): Operation {
  const payer = input.paymentMethod === "card" ? PSP : available(input.userId);
  return {
    ...ofOrder(input),
    kind: "refund",
    postings: input.lines.map((line) => ({ debit: revenue(line.serviceId), credit: payer, amountMinor: BigInt(line.amountMinor) })),
  };
}

function ofHold(input: Request & HoldOwner): Omit<Operation, "kind" | "postings"> {
  return {
    key: input.key,
    currency: input.currency,
    userId: input.userId,
    serviceId: input.serviceId,
    orderId: input.orderId,
    holdId: input.holdId,
    comment: input.comment,
    origin: input.origin,
  };
}

function ofOrder(input: Omit<OrderOfLines, "lines">): Omit<Operation, "kind" | "postings"> {
  return {
    key: input.key,
    currency: input.currency,
    userId: input.userId,
    orderId: input.orderId,
    comment: input.comment,
    origin: input.origin,
    ...(input.orderChange === undefined ? {} : { orderChange: input.orderChange }),
  };
}
