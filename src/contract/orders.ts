import { defineQuery, defineSignal, defineUpdate } from "@temporalio/workflow";

export const SAGA_STATES = ["STARTED", "PAYMENT_PENDING", "COMPLETED", "COMPENSATING", "FAILED"] as const;
/** The states of an order's saga, exactly these (S1-37). */
export type SagaState = (typeof SAGA_STATES)[number];

export const ORDER_STATUSES = ["PENDING", "CONFIRMED", "CANCELLED"] as const;
/** What the order is to its buyer. A saga that failed leaves the order CANCELLED: rows are kept, never deleted. */
export type OrderStatus = (typeof ORDER_STATUSES)[number];

export const PAYMENT_METHODS = ["wallet", "card"] as const;
export type PaymentMethod = (typeof PAYMENT_METHODS)[number];

export const PAYMENT_STATUSES = ["pending", "authorised", "captured", "cancelled", "declined", "part_refunded", "refunded"] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

export const REFUND_STATUSES = ["pending", "done", "refused"] as const;
export type RefundStatus = (typeof REFUND_STATUSES)[number];

/** One line of an order. `amountMinor` is the line's whole price in minor units, as text. */
export interface OrderLine {
  readonly lineNo: number;
  readonly serviceId: string;
  readonly quantity: number;
  readonly amountMinor: string;
}

/** How long an order may keep money aside before the audit calls it forgotten. An order takes milliseconds; this leaves room for an outage. */
export const ORDER_HOLD_TTL_MS = 900_000;
/** How long an order waits for the payment provider where its input does not say. */
export const ORDER_PAYMENT_DEADLINE_MS = 600_000;
/** How many times a compensation is tried at short intervals before it is parked, where the input does not say: some 30 s. */
export const COMPENSATION_FAST_RETRIES = 9;
/** How long a parked compensation rests before it is tried again by itself; each rest is twice the one before, up to the second number. */
export const COMPENSATION_SLOW_MS = 180_000;
export const COMPENSATION_SLOWEST_MS = 1_800_000;

/** What is left of a card once the provider's vault has it. */
export interface CardPayment {
  readonly cardToken: string;
  readonly last4: string;
  readonly brand: string;
}

/** What starts an `orderSaga`. */
export interface OrderSagaInput {
  readonly orderId: string;
  readonly userId: string;
  readonly currency: string;
  readonly lines: readonly OrderLine[];
  readonly totalMinor: string;
  readonly paymentMethod: PaymentMethod;
  /** There exactly when the method is `card`. */
  readonly card?: CardPayment;
  readonly comment: string;
  /** SHA-256 of what the client asked for; the same order id with another hash is another request. */
  readonly requestHash: string;
  /** When what it pays for happened in the world, ISO 8601; without it, when it is booked. Only of orders by card. */
  readonly effectiveAt?: string;
  readonly correlationId: string;
  readonly caller: string;
  /** There when another service takes the payment, asked for on saga.commands; without it Saldo does. Never with a card. */
  readonly paidBy?: "saga-commands";
  /** How long the order waits for the provider before it is undone. */
  readonly paymentDeadlineMs?: number;
  /** How many times a compensation is tried at short intervals before it is parked. */
  readonly compensationFastRetries?: number;
}

/** How an order ended. A failure carries a code of the catalogue and words. */
export interface OrderOutcome {
  readonly orderId: string;
  readonly sagaState: SagaState;
  readonly status: OrderStatus;
  readonly failureCode?: string;
  readonly failureMessage?: string;
}

/** What `status` answers while the saga runs. */
export interface OrderSagaStatus extends OrderOutcome {
  readonly step: string;
  /** Why the saga waits, in words; absent while it does not. */
  readonly waitingFor?: string;
  /** The step that is past its fast retries; absent when none is. */
  readonly stuck?: string;
  /** What an operator may do about it. */
  readonly possibleActs?: readonly OperatorActKind[];
}

/** One thing that a cancellation would reverse, or has to be reversed still. */
export interface UndoStep {
  readonly step: string;
  readonly amountMinor?: string;
  readonly currency?: string;
}

/** What a cancellation would do now. `possible` is false once the order cannot be undone any more. */
export interface UndoPlan {
  readonly orderId: string;
  readonly sagaState: SagaState;
  readonly possible: boolean;
  readonly steps: readonly UndoStep[];
}

export const OPERATOR_ACTS = ["retry", "skip", "settle"] as const;
/** Try what is stuck at once; leave it undone; or take it as done by hand outside. */
export type OperatorActKind = (typeof OPERATOR_ACTS)[number];
/** What has to happen and is nobody's to decide, as the capture of money that may be taken already. */
export const ONLY_RETRY: readonly OperatorActKind[] = ["retry"];
/** What has to happen and may have been done outside, as a refund by bank transfer. */
export const RETRY_OR_SETTLE: readonly OperatorActKind[] = ["retry", "settle"];

/** What a person decided about a stuck order. */
export interface OperatorAct {
  readonly act: OperatorActKind;
  /** The step it is meant for; without it the one that is stuck. */
  readonly step?: string;
  readonly reason: string;
  readonly actor: string;
}

const REFUND_STEP = "refund ";

/** The name under which a refund that is stuck stands in its order's row. */
export function refundStep(refundId: string): string {
  return `${REFUND_STEP}${refundId}`;
}

/** The refund that such a name is of; undefined for a step of the order itself. */
export function refundOfStep(step: string | undefined): string | undefined {
  // A refund's id holds no space, and of an order's own steps "refund the card" does.
  const refundId = step?.startsWith(REFUND_STEP) === true ? step.slice(REFUND_STEP.length) : "";
  return refundId === "" || refundId.includes(" ") ? undefined : refundId;
}

/** Answers how the order stands, from the workflow's memory. */
export const orderStatusQuery = defineQuery<OrderSagaStatus>("status");
/** Answers what a cancellation would reverse. */
export const orderUndoPlanQuery = defineQuery<UndoPlan>("undoPlan");
/** Asks the saga to stop and undo; answers with the definite outcome, which is COMPLETED when the capture came first. */
export const cancelOrderUpdate = defineUpdate<OrderOutcome, [{ reason: string } | undefined]>("cancel");
/** What the payment service answered to the order's CHARGE. */
export interface PaymentReply {
  readonly status: "SUCCEEDED" | "FAILED";
  readonly paymentId?: string;
  /** Why it failed, in the service's own words. */
  readonly error?: string;
}

/** An order's payment as its side asks for it over saga.commands. `amount` is decimal text. */
export interface SagaPaymentRequest {
  readonly orderId: string;
  readonly userId: string;
  readonly amount: string;
  readonly currency: string;
  readonly correlationId: string;
}

/** Stands for a refund's id where the payment of an undone order is asked back over saga.commands. */
export const SAGA_REFUND = "saga-payment";

/** The payment service's answer, where it takes the payment. The first one counts. */
export const paymentReplySignal = defineSignal<[PaymentReply]>("paymentReply");
/** A REFUND was sent: an answer from before does not count for it. */
export const refundAskedSignal = defineSignal("refundAsked");
/** A person's decision about what is stuck. */
export const operatorActSignal = defineSignal<[OperatorAct]>("operatorAct");
/** Moves the saga's own timers forward; only where the test clock is on. */
export const advanceOrderUpdate = defineUpdate<{ readonly advancedMs: number }, [{ readonly advanceMs: number }]>("advance");

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
  /** As of an order; absent when it is not stuck. */
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
