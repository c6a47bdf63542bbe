import { defineQuery, defineUpdate } from "@temporalio/workflow";
import type { OperatorActKind } from "./operator-acts.ts";

export const SAGA_STATES = ["STARTED", "PAYMENT_PENDING", "COMPLETED", "COMPENSATING", "FAILED"] as const;
/** The states of an order's saga, exactly these (S1-37). */
export type SagaState = (typeof SAGA_STATES)[number];

export const ORDER_STATUSES = ["PENDING", "CONFIRMED", "CANCELLED"] as const;
/** What the order is to its buyer. A saga that failed leaves the order CANCELLED: rows are kept, never deleted. */
export type OrderStatus = (typeof ORDER_STATUSES)[number];

export const PAYMENT_METHODS = ["wallet", "card"] as const;
export type PaymentMethod = (typeof PAYMENT_METHODS)[number];

/** The steps of an order's saga, by what pays it, in their order. */
export const ORDER_STEPS = {
  wallet: ["create the order", "hold the money", "capture the money"],
  card: ["create the order", "authorise the card", "capture the money", "book the money"],
  "saga-commands": ["create the order", "ask the payment service", "wait for the payment service", "book the money"],
} as const;
export type OrderPayer = keyof typeof ORDER_STEPS;
export type OrderStep = (typeof ORDER_STEPS)[OrderPayer][number];

export const PAYMENT_STATUSES = ["pending", "authorised", "captured", "cancelled", "declined", "part_refunded", "refunded"] as const;
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number];

/** One line of an order. `amountMinor` is the line's whole price in minor units, as text. */
export interface OrderLine {
  readonly lineNo: number;
  readonly serviceId: string;
  readonly quantity: number;
  readonly amountMinor: string;
}

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
  /** When the purchase happened in the world, ISO 8601; without it, when it is booked. Only of orders by card. */
  readonly effectiveAt?: string;
  readonly correlationId: string;
  readonly caller: string;
  /** There when another service takes the payment, on a CHARGE over saga.commands; without it, Saldo does. Never with a card. */
  readonly paidBy?: "saga-commands";
  /** How long the order waits for the provider before it is undone. */
  readonly paymentDeadlineMs?: number;
  /** How many times a compensation is tried at short intervals before it is parked. */
  readonly compensationFastRetries?: number;
}

/** An order to create; with `payAtOnce` it is also paid where nothing stands in the way. */
export type OrderToCreate = OrderSagaInput & { readonly payAtOnce?: true };

/** How an order ended. A failure carries a code of the catalogue and words. */
export interface OrderOutcome {
  readonly orderId: string;
  readonly sagaState: SagaState;
  readonly status: OrderStatus;
  readonly failureCode?: string;
  readonly failureMessage?: string;
}

/** An order's end that is committed and never changes, as the process knows it that committed it. */
export interface OrderEnd {
  readonly orderId: string;
  readonly sagaState: "COMPLETED" | "FAILED";
  /** The moment at which one statement created and paid the order; absent when it was created before. */
  readonly paidAt?: Date;
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

/** A step that a cancellation would reverse, or that still has to be reversed. */
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

/** Answers how the order stands, from the workflow's memory. */
export const orderStatusQuery = defineQuery<OrderSagaStatus>("status");
/** Answers what a cancellation would reverse. */
export const orderUndoPlanQuery = defineQuery<UndoPlan>("undoPlan");
/** Asks the saga to stop and undo; answers with the definite outcome, which is COMPLETED when the capture came first. */
export const cancelOrderUpdate = defineUpdate<OrderOutcome, [{ reason: string } | undefined]>("cancel");
/** Moves the saga's own timers forward; only where the test clock is on. */
export const advanceOrderUpdate = defineUpdate<{ readonly advancedMs: number }, [{ readonly advanceMs: number }]>("advance");
