import { defineQuery } from "@temporalio/workflow";
import type { OperatorActKind } from "./operator-acts.ts";
import type { PaymentMethod } from "./orders.ts";

export const REFUND_STATUSES = ["pending", "done", "refused"] as const;
export type RefundStatus = (typeof REFUND_STATUSES)[number];

/** The part of an order's line that a refund gives back. */
export interface RefundLine {
  readonly lineNo: number;
  readonly serviceId: string;
  readonly amountMinor: string;
}

/** What starts an `orderRefund`. The amount is set aside in the payment's row before. */
export interface OrderRefundInput {
  readonly refundId: string;
  readonly orderId: string;
  readonly userId: string;
  readonly currency: string;
  readonly amountMinor: string;
  readonly lines: readonly RefundLine[];
  readonly paymentMethod: PaymentMethod;
  readonly reason: string;
  readonly correlationId: string;
  readonly caller: string;
  /** How many times the provider is asked at short intervals before the refund is shown as stuck. */
  readonly fastRetries?: number;
}

/** What `refundStatus` answers while the refund runs. */
export interface OrderRefundStatus {
  readonly refundId: string;
  /** The name of the stuck refund (`refundStep`); absent when it is not stuck. */
  readonly stuck?: string;
  readonly waitingFor?: string;
  readonly possibleActs?: readonly OperatorActKind[];
}

/** Answers whether a refund is stuck. */
export const refundStatusQuery = defineQuery<OrderRefundStatus>("refundStatus");

/** How a refund ended. */
export interface OrderRefundOutcome {
  readonly refundId: string;
  readonly status: RefundStatus;
  readonly failureCode?: string;
}

const REFUND_STEP = "refund ";

/** The name of a stuck refund in its order's row. */
export function refundStep(refundId: string): string {
  return `${REFUND_STEP}${refundId}`;
}

/**
 * The stuck step of an order that was undone and has ended, and whose refund failed at the provider afterwards: nothing tries it again, and
 * a person who gave the money back says so.
 */
export const FAILED_REFUND_STEP: string = refundStep("by-hand");

/** The id of the refund that `refundStep` named so; undefined for a step of the order itself. */
export function refundOfStep(step: string | undefined): string | undefined {
  // A refund's id holds no space, and of an order's own steps "refund the card" does.
  const refundId = step?.startsWith(REFUND_STEP) === true ? step.slice(REFUND_STEP.length) : "";
  return refundId === "" || refundId.includes(" ") ? undefined : refundId;
}
