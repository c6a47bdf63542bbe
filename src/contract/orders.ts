import { defineQuery, defineUpdate } from "@temporalio/workflow";

export const SAGA_STATES = ["STARTED", "PAYMENT_PENDING", "COMPLETED", "COMPENSATING", "FAILED"] as const;
/** The states of an order's saga, exactly these (S1-37). */
export type SagaState = (typeof SAGA_STATES)[number];

export const ORDER_STATUSES = ["PENDING", "CONFIRMED", "CANCELLED"] as const;
/** What the order is to its buyer. A saga that failed leaves the order CANCELLED: rows are kept, never deleted. */
export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** One line of an order. `amountMinor` is the line's whole price in minor units, as text. */
export interface OrderLine {
  readonly lineNo: number;
  readonly serviceId: string;
  readonly quantity: number;
  readonly amountMinor: string;
}

/** How long an order may keep money aside before the audit calls it forgotten. An order takes milliseconds; this leaves room for an outage. */
export const ORDER_HOLD_TTL_MS = 900_000;

/** What starts an `orderSaga`. */
export interface OrderSagaInput {
  readonly orderId: string;
  readonly userId: string;
  readonly currency: string;
  readonly lines: readonly OrderLine[];
  readonly totalMinor: string;
  readonly paymentMethod: "wallet";
  readonly comment: string;
  /** SHA-256 of what the client asked for; the same order id with another hash is another request. */
  readonly requestHash: string;
  readonly correlationId: string;
  readonly caller: string;
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
}

/** Answers how the order stands, from the workflow's memory. */
export const orderStatusQuery = defineQuery<OrderSagaStatus>("status");
/** Asks the saga to stop and undo; answers with the definite outcome, which is COMPLETED when the capture came first. */
export const cancelOrderUpdate = defineUpdate<OrderOutcome, [{ reason: string } | undefined]>("cancel");
