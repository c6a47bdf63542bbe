import type { EventBatchInput, EventBatchResult } from "./contract/events.ts";
import type { OrderOutcome, OrderSagaInput, OrderSagaStatus } from "./contract/orders.ts";
import type { RevenueReportInput, RevenueReportProgress, RevenueReportResult } from "./contract/reports.ts";
import type { ConfirmInput, ReleaseInput, ReservationInput, ReservationState, ReservationStatus } from "./contract/reservations.ts";

/** A workflow that was started, or that ran already under the same id. */
export interface Started<Outcome> {
  readonly workflowId: string;
  readonly alreadyStarted: boolean;
  /** Waits for the end, at most `waitMs`; undefined when it is not there by then. */
  outcome(waitMs: number): Promise<Outcome | undefined>;
}

/**
 * The only place that starts, updates and queries workflows. Every call has a deadline.
 * Throws: UNAVAILABLE or DEADLINE_EXCEEDED when Temporal is not reachable or too slow, and the catalogue's code that a workflow refused with.
 * Calls on a workflow that is closed or was never there answer undefined: the caller then reads Postgres.
 */
export interface Starters {
  startOrder(input: OrderSagaInput): Promise<Started<OrderOutcome>>;
  cancelOrder(orderId: string, reason: string): Promise<OrderOutcome | undefined>;
  orderStatus(orderId: string): Promise<OrderSagaStatus | undefined>;
  /** Starts the reservation or joins the running one, and answers once the money is held. */
  placeReservation(input: ReservationInput): Promise<ReservationState | undefined>;
  confirmReservation(reservationId: string, input: ConfirmInput): Promise<ReservationState | undefined>;
  releaseReservation(reservationId: string, input: ReleaseInput): Promise<ReservationState | undefined>;
  reservationStatus(reservationId: string): Promise<ReservationStatus | undefined>;
  startReport(input: RevenueReportInput): Promise<Started<RevenueReportResult>>;
  reportProgress(month: string, version: number): Promise<RevenueReportProgress | undefined>;
  /** Runs a batch of events to its end, however long it takes; `signal` stops the wait, not the workflow. */
  runEventBatch(input: EventBatchInput, signal: AbortSignal): Promise<EventBatchResult>;
}
