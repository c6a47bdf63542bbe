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
 * What became of a command. Two kinds are not answered and are for the dead letters, nothing was done then: `conflict`, whose identity was
 * used before with other content, and `impossible`, which the ledger cannot take at all, whatever is tried.
 */
export interface SagaCommandResult {
  readonly outcome: "succeeded" | "failed" | "conflict" | "impossible";
  readonly paymentId?: string;
  /** A code of the catalogue and words. */
  readonly error?: string;
  /** Which content was run: another sender may have joined a run of the same id. */
  readonly amountMinor: string;
  readonly currency: string;
  readonly userId: string;
}

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
