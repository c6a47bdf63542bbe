import { defineSignal } from "@temporalio/workflow";

/** What starts a `sagaCommand`. */
export interface SagaCommandInput {
  readonly sagaId: string;
  readonly command: SagaCommandKind;
  readonly orderId: string;
  readonly userId: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly serviceId?: string;
  readonly comment: string;
  readonly correlationId: string;
}

export type SagaCommandKind = "CHARGE" | "REFUND";

/**
 * What became of a command. Two kinds did nothing, get no reply and become dead letters: `conflict`, whose identity was used before with
 * other content, and `impossible`, which the ledger refuses however often it is tried.
 */
export interface SagaCommandResult {
  readonly outcome: "succeeded" | "failed" | "conflict" | "impossible";
  readonly paymentId?: string;
  /** A code of the catalogue and words. */
  readonly error?: string;
  /** The content that was executed: a second sender of the same command joins the first one's workflow. */
  readonly amountMinor: string;
  readonly currency: string;
  readonly userId: string;
}

/** What the payment service answered to a CHARGE or a REFUND of an order. */
export interface PaymentReply {
  readonly status: "SUCCEEDED" | "FAILED";
  readonly paymentId?: string;
  /** Why it failed, in the service's own words. */
  readonly error?: string;
}

/** An order's payment as the order side asks for it over saga.commands. `amount` is decimal text. */
export interface SagaPaymentRequest {
  readonly orderId: string;
  readonly userId: string;
  readonly amount: string;
  readonly currency: string;
  readonly correlationId: string;
}

/** What a run of `sagaRefund` hands to the run that continues it: SUCCEEDED is owed. */
export interface SagaRefundCarried {
  /** Answers that have come and are not handled yet. */
  readonly answers: readonly PaymentReply[];
  /** The rest until the REFUND is sent again, in milliseconds. */
  readonly restMs: number;
  /** The payment service's refusal, in words. */
  readonly refusal?: string;
  /** Why the refund is shown as stuck. */
  readonly stuckFor?: string;
}

/** Stands for a refund's id where the payment of an undone order is asked back over saga.commands. */
export const SAGA_REFUND = "saga-payment";

/** Hands a reply of the payment service to the workflow that waits for it. To a CHARGE the first reply counts. */
export const paymentReplySignal = defineSignal<[PaymentReply]>("paymentReply");
/** Tells the workflow that a REFUND was sent: a reply that came before does not count as its answer. */
export const refundAskedSignal = defineSignal("refundAsked");
