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
  /** The compensation that is past its fast retries; absent when none is. */
  readonly stuck?: string;
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
/** Try the stuck compensation at once; leave it undone; or take it as done by hand outside. */
export type OperatorActKind = (typeof OPERATOR_ACTS)[number];

/** What a person decided about a stuck order. */
export interface OperatorAct {
  readonly act: OperatorActKind;
  /** The compensation it is meant for; without it the one that is stuck. */
  readonly step?: string;
  readonly reason: string;
  readonly actor: string;
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

/** The payment service's answer, where it takes the payment. The first one counts. */
export const paymentReplySignal = defineSignal<[PaymentReply]>("paymentReply");
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
}

/** How a refund ended. */
export interface OrderRefundOutcome {
  readonly refundId: string;
  readonly status: RefundStatus;
  readonly failureCode?: string;
}
