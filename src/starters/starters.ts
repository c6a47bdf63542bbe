import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Client,
  QueryNotRegisteredError,
  QueryRejectedError,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
  type WorkflowStartOptions,
  WorkflowUpdateFailedError,
} from "@temporalio/client";
import { ApplicationFailure, defineSearchAttributeKey, TerminatedFailure, TimeoutFailure, TypedSearchAttributes } from "@temporalio/common";
import { unlessAborted } from "../base/aborted.ts";
import { withinOrThrow } from "../base/deadline.ts";
import { causesOf, DomainError, isErrorCode } from "../base/errors.ts";
import { inWords } from "../base/money.ts";
import type { EventBatchInput, EventBatchResult } from "../contract/events.ts";
import {
  eventBatchWorkflowId,
  sagaCommandWorkflowId,
  orderRefundWorkflowId,
  orderWorkflowId,
  reportWorkflowId,
  reservationWorkflowId,
  webhookDeliveryWorkflowId,
} from "../contract/ids.ts";
import { operatorActSignal, type OperatorAct } from "../contract/operator-acts.ts";
import {
  advanceOrderUpdate,
  cancelOrderUpdate,
  orderStatusQuery,
  orderUndoPlanQuery,
  type OrderOutcome,
  type OrderSagaInput,
  type OrderSagaStatus,
  type UndoPlan,
} from "../contract/orders.ts";
import { refundStatusQuery, type OrderRefundInput, type OrderRefundOutcome, type OrderRefundStatus } from "../contract/refunds.ts";
import { reportProgressQuery, type RevenueReportInput, type RevenueReportProgress, type RevenueReportResult } from "../contract/reports.ts";
import {
  advanceReservationClockUpdate,
  confirmReservationUpdate,
  extendReservationUpdate,
  releaseReservationUpdate,
  remainingSeconds,
  reservationPlacedUpdate,
  reservationStatusQuery,
  type AdvanceClockInput,
  type ConfirmInput,
  type ExtendInput,
  type ReleaseInput,
  type ReservationInput,
  type ReservationState,
  type ReservationStatus,
} from "../contract/reservations.ts";
import type { SagaCommandInput, SagaCommandResult } from "../contract/saga-commands.ts";
import {
  paymentReplySignal,
  refundAskedSignal,
  SAGA_REFUND,
  type PaymentReply,
  type SagaPaymentRequest,
} from "../contract/saga-commands.ts";
import { SEARCH_ATTRIBUTES } from "../contract/search-attributes.ts";
import { TASK_QUEUES } from "../contract/task-queues.ts";
import { deliverNowSignal, type WebhookDeliveryInput } from "../contract/webhooks.ts";

/** The status codes of gRPC that a call of Temporal may end with (grpc/grpc, doc/statuscodes.md). */
const grpcStatus = {
  CANCELLED: 1,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

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
  orderUndoPlan(orderId: string): Promise<UndoPlan | undefined>;
  /** Tells the order's workflow what a person decided; false when it does not run. */
  actOnOrder(orderId: string, act: OperatorAct): Promise<boolean>;
  /** Moves the order's own timers forward. */
  advanceOrder(orderId: string, advanceMs: number): Promise<{ readonly advancedMs: number } | undefined>;
  /** Starts the refund or finds the one that runs; its amount must be set aside before. */
  startRefund(input: OrderRefundInput): Promise<Started<OrderRefundOutcome>>;
  refundStatus(orderId: string, refundId: string): Promise<OrderRefundStatus | undefined>;
  /** As `actOnOrder`, for a refund. */
  actOnRefund(orderId: string, refundId: string, act: OperatorAct): Promise<boolean>;
  /** Starts the reservation or joins the running one, and answers once the money is held. One that has ended may answer as it did then. */
  placeReservation(input: ReservationInput): Promise<ReservationState | undefined>;
  confirmReservation(reservationId: string, input: ConfirmInput): Promise<ReservationState | undefined>;
  releaseReservation(reservationId: string, input: ReleaseInput): Promise<ReservationState | undefined>;
  extendReservation(reservationId: string, input: ExtendInput): Promise<ReservationState | undefined>;
  advanceReservationClock(reservationId: string, input: AdvanceClockInput): Promise<ReservationState | undefined>;
  reservationStatus(reservationId: string): Promise<ReservationStatus | undefined>;
  /** Starts the workflow of a hold that stands and has lost its own; one that runs is left alone. */
  restartReservation(input: ReservationInput): Promise<void>;
  /** Starts the saga of an order that is not decided and has lost its own; one that runs is left alone. */
  restartOrder(input: OrderSagaInput): Promise<void>;
  /** Whether a workflow runs under this id at this moment. */
  isOpen(workflowId: string): Promise<boolean>;
  startReport(input: RevenueReportInput): Promise<Started<RevenueReportResult>>;
  reportProgress(month: string, version: number): Promise<RevenueReportProgress | undefined>;
  /** Runs a batch of events to its end, however long it takes; `signal` stops the wait, not the workflow. */
  runEventBatch(input: EventBatchInput, signal: AbortSignal): Promise<EventBatchResult>;
  /** Executes a saga's command to its end, and again when it is asked again: the ledger knows it by its identity. `signal` as above. */
  runSagaCommand(input: SagaCommandInput, signal: AbortSignal): Promise<SagaCommandResult>;
  /** Tells the order's workflow what the payment service answered; false when it does not run. */
  replyToOrder(orderId: string, reply: PaymentReply): Promise<boolean>;
  /** Has the answer to an order's REFUND waited for, again where it ended before; whoever waits already waits for this answer too. */
  followSagaRefund(payment: SagaPaymentRequest): Promise<void>;
  /** Tells who waits for it, from now on where nobody did, what the payment service answered to a REFUND; false when that has ended already. */
  replyToRefund(payment: SagaPaymentRequest, reply: PaymentReply): Promise<boolean>;
  /** The hash of the request that an order's workflow was started with; undefined when the server does not know it any more. */
  orderRequestHash(orderId: string): Promise<string | undefined>;
}

export interface StarterOptions {
  readonly client: Client;
  /** Starts orders eagerly: only where this process runs a worker of the orders queue on the client's own connection. */
  readonly eager: boolean;
  /** How long any one call may take, in milliseconds. */
  readonly deadlineMs: number;
}

/** The starters over a client of Temporal. */
export function createStarters({ client, eager, deadlineMs }: StarterOptions): Starters {
  // The native connection goes on trying after its deadline when nobody answers, so the wait has a timer of its own.
  const call = <Result>(work: () => Promise<Result>): Promise<Result> =>
    withinOrThrow(
      translated(() => client.withDeadline(Date.now() + deadlineMs, work)),
      deadlineMs,
      TOO_SLOW,
    );
  /** Undefined instead of an error when there is no such workflow or it has ended. */
  const ifRunning = async <Result>(work: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await call(work);
    } catch (error) {
      if (error instanceof NotRunning) return undefined;
      throw error;
    }
  };
  /** As `ifRunning`, for updates: one that the server dropped before the workflow saw it is sent again, under its own id. */
  const update = async <Result>(work: () => Promise<Result>): Promise<Result | undefined> => {
    for (const untilMs = Date.now() + deadlineMs; ; await sleep(DROPPED_PAUSE_MS)) {
      try {
        return await ifRunning(work);
      } catch (error) {
        if (!(error instanceof DroppedUpdate) || Date.now() >= untilMs) throw error;
      }
    }
  };
  const handleOf = (workflowId: string) => client.workflow.getHandle(workflowId);

  const actOn = async (workflowId: string, act: OperatorAct): Promise<boolean> =>
    (await ifRunning(async () => {
      await handleOf(workflowId).signal(operatorActSignal, act);
      return true;
    })) ?? false;

  const start = async <Outcome>(
    type: string,
    workflowId: string,
    options: Omit<WorkflowStartOptions, "workflowId">,
  ): Promise<Started<Outcome>> => {
    const started = (alreadyStarted: boolean): Started<Outcome> => ({
      workflowId,
      alreadyStarted,
      outcome: (waitMs) => outcomeWithin<Outcome>(client, workflowId, waitMs),
    });
    try {
      await call(() => client.workflow.start(type, { ...options, workflowId }));
      return started(false);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return started(true);
      throw error;
    }
  };

  return {
    startOrder: (order) =>
      start<OrderOutcome>("orderSaga", orderWorkflowId(order.orderId), {
        ...orderStart(order),
        // The order's id is made of the client's key: the same order is never run twice, and a repeat finds the first.
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        requestEagerStart: eager,
      }),

    async restartOrder(order) {
      await call(() =>
        client.workflow.start("orderSaga", {
          ...orderStart(order),
          workflowId: orderWorkflowId(order.orderId),
          // The row is the first run's: its fences and the permanent keys of the steps let nothing happen twice.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
        }),
      );
    },

    cancelOrder: (orderId, reason) =>
      update(() => handleOf(orderWorkflowId(orderId)).executeUpdate(cancelOrderUpdate, { args: [{ reason }], updateId: "cancel" })),

    orderStatus: (orderId) => ifRunning(() => handleOf(orderWorkflowId(orderId)).query(orderStatusQuery)),

    orderUndoPlan: (orderId) => ifRunning(() => handleOf(orderWorkflowId(orderId)).query(orderUndoPlanQuery)),

    actOnOrder: (orderId, act) => actOn(orderWorkflowId(orderId), act),

    advanceOrder: (orderId, advanceMs) =>
      update(() => handleOf(orderWorkflowId(orderId)).executeUpdate(advanceOrderUpdate, { args: [{ advanceMs }], updateId: randomUUID() })),

    startRefund: (refund) =>
      start<OrderRefundOutcome>("orderRefund", orderRefundWorkflowId(refund.orderId, refund.refundId), {
        taskQueue: TASK_QUEUES.orders,
        args: [refund],
        // The refund's id is made of the client's key; one that was terminated may be run to its end after all.
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        staticSummary: `Refund of ${inWords(refund.amountMinor, refund.currency)} to user ${refund.userId}`,
        staticDetails: refund.reason,
        memo: { userId: refund.userId, orderId: refund.orderId, amount: inWords(refund.amountMinor, refund.currency) },
        typedSearchAttributes: searchAttributes(refund),
      }),

    refundStatus: (orderId, refundId) => ifRunning(() => handleOf(orderRefundWorkflowId(orderId, refundId)).query(refundStatusQuery)),

    actOnRefund: (orderId, refundId, act) => actOn(orderRefundWorkflowId(orderId, refundId), act),

    placeReservation: async (reservation) => {
      const startWorkflowOperation = new WithStartWorkflowOperation("reservation", {
        ...reservationStart(reservation),
        // A running one is joined; one that ended is over, and its row or its refused operation tells how.
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      });
      try {
        return await update(() =>
          client.workflow.executeUpdateWithStart(reservationPlacedUpdate, { startWorkflowOperation, updateId: "placed" }),
        );
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError || grpcStatusIn(error) === grpcStatus.ALREADY_EXISTS) return undefined;
        throw error;
      }
    },

    confirmReservation: (reservationId, input) =>
      update(() =>
        handleOf(reservationWorkflowId(reservationId)).executeUpdate(confirmReservationUpdate, {
          args: [input],
          updateId: updateIdOf("confirm", input.requestKey),
        }),
      ),

    releaseReservation: (reservationId, input) =>
      update(() =>
        handleOf(reservationWorkflowId(reservationId)).executeUpdate(releaseReservationUpdate, {
          args: [input],
          updateId: updateIdOf("release", input.requestKey),
        }),
      ),

    extendReservation: (reservationId, input) =>
      update(() =>
        handleOf(reservationWorkflowId(reservationId)).executeUpdate(extendReservationUpdate, {
          args: [input],
          updateId: updateIdOf("extend", input.requestKey),
        }),
      ),

    advanceReservationClock: (reservationId, input) =>
      update(() =>
        handleOf(reservationWorkflowId(reservationId)).executeUpdate(advanceReservationClockUpdate, {
          args: [input],
          updateId: updateIdOf("advance", input.requestKey),
        }),
      ),

    async restartReservation(reservation) {
      await call(() =>
        client.workflow.start("reservation", {
          ...reservationStart(reservation),
          // The hold is the first run's, found again under the same key; only its time has to be kept.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
        }),
      );
    },

    async isOpen(workflowId) {
      const description = await ifRunning(() => handleOf(workflowId).describe());
      return description?.status.name === "RUNNING" || description?.status.name === "PAUSED";
    },

    reservationStatus: async (reservationId) => {
      const status = await ifRunning(() => handleOf(reservationWorkflowId(reservationId)).query(reservationStatusQuery));
      // A workflow's clock stands still between its events, so its own count would not go down.
      return status?.status === "held" ? { ...status, remainingSeconds: remainingSeconds(status, Date.now()) } : status;
    },

    startReport: (report) =>
      start<RevenueReportResult>("revenueReport", reportWorkflowId(report.month, report.version), {
        taskQueue: TASK_QUEUES.reports,
        args: [report],
        // A version whose workflow was terminated or failed may be made after all; one that was made stays as it is.
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        staticSummary: `Revenue of ${report.month}, version ${report.version}`,
        typedSearchAttributes: searchAttributes({ correlationId: report.correlationId, reportMonth: report.month }),
      }),

    reportProgress: (month, version) => ifRunning(() => handleOf(reportWorkflowId(month, version)).query(reportProgressQuery)),

    async runEventBatch(batch, signal) {
      const workflowId = eventBatchWorkflowId(batch);
      await call(() =>
        client.workflow.start("eventBatch", {
          workflowId,
          taskQueue: TASK_QUEUES.orders,
          args: [batch],
          // Running the same events again is harmless: each has its permanent key. A batch under way is joined.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          requestEagerStart: eager,
          staticSummary: `${batch.events.length} events of ${batch.topic}/${batch.partition}, offsets ${batch.firstOffset} to ${batch.lastOffset}`,
        }),
      );
      return translated(() => unlessAborted(handleOf(workflowId).result() as Promise<EventBatchResult>, signal, waitEnded));
    },

    async runSagaCommand(command, signal) {
      const workflowId = sagaCommandWorkflowId(command.sagaId, command.command);
      const amount = inWords(command.amountMinor, command.currency);
      await call(() =>
        client.workflow.start("sagaCommand", {
          workflowId,
          taskQueue: TASK_QUEUES.orders,
          args: [command],
          // Asked again it answers again; the money moves once, by its key.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          requestEagerStart: eager,
          staticSummary: `${command.command} of ${amount} of user ${command.userId}, saga ${command.sagaId}`,
          memo: { userId: command.userId, orderId: command.orderId, amount },
          typedSearchAttributes: searchAttributes(command),
        }),
      );
      return translated(() => unlessAborted(handleOf(workflowId).result() as Promise<SagaCommandResult>, signal, waitEnded));
    },

    replyToOrder: async (orderId, reply) =>
      (await ifRunning(async () => {
        await handleOf(orderWorkflowId(orderId)).signal(paymentReplySignal, reply);
        return true;
      })) ?? false,

    async followSagaRefund(payment) {
      await call(() =>
        client.workflow.signalWithStart("sagaRefund", {
          ...sagaRefundStart(payment),
          // One that runs may be about to end by the answer to an earlier REFUND.
          signal: refundAskedSignal,
          // A late yes asks for the money back once more.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        }),
      );
    },

    async replyToRefund(payment, reply) {
      try {
        await call(() =>
          client.workflow.signalWithStart("sagaRefund", {
            ...sagaRefundStart(payment),
            signal: paymentReplySignal,
            signalArgs: [reply],
            // Answered or settled is over.
            workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof WorkflowExecutionAlreadyStartedError || grpcStatusIn(error) === grpcStatus.ALREADY_EXISTS) return false;
        throw error;
      }
    },

    async orderRequestHash(orderId) {
      const description = await ifRunning(() => handleOf(orderWorkflowId(orderId)).describe());
      const hash = description?.memo?.["requestHash"];
      return typeof hash === "string" ? hash : undefined;
    },
  };
}

/**
 * Starts the deliveries of webhooks; one that runs is told to try now. A delivery of its own for each webhook and event.
 * Safe to retry. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export function createWebhookStarter({ client, deadlineMs }: Pick<StarterOptions, "client" | "deadlineMs">) {
  return async (delivery: WebhookDeliveryInput): Promise<void> => {
    await withinOrThrow(
      translated(() =>
        client.withDeadline(Date.now() + deadlineMs, () =>
          client.workflow.signalWithStart("webhookDelivery", {
            workflowId: webhookDeliveryWorkflowId(delivery),
            taskQueue: TASK_QUEUES.webhooks,
            args: [delivery],
            signal: deliverNowSignal,
            // A delivery that has ended may be asked for again.
            workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
            staticSummary: `Event ${delivery.eventId} to webhook ${delivery.webhookId}`,
          }),
        ),
      ),
      deadlineMs,
      TOO_SLOW,
    );
  };
}

/** The workflow is not there or has ended. */
class NotRunning extends Error {
  override readonly name = "NotRunning";
}

/** The update left no trace in the workflow: whoever does not send it again cannot be served now. */
class DroppedUpdate extends DomainError {
  constructor(reason: string, cause: unknown) {
    super("UNAVAILABLE", reason, {}, cause);
  }
}

const TOO_SLOW = "Temporal did not answer in time";
// A native connection cannot be interrupted; the wait can be left.
const waitEnded = () => new DomainError("UNAVAILABLE", "the wait was ended");

const DROPPED_PAUSE_MS = 50;
/** What the server itself answers with to an update (temporalio/temporal, service/history/workflow/update/errors_failures.go). */
const serverFailure = { unprocessed: "UnprocessedUpdate", workflowCompleted: "AcceptedUpdateCompletedWorkflow" } as const;

// Update ids are kept in the history and shown; the client's key may be long and is hashed to a fixed length.
function updateIdOf(kind: string, requestKey: string): string {
  return `${kind}-${createHash("sha256").update(requestKey).digest("hex").slice(0, 32)}`;
}

function orderStart(order: OrderSagaInput) {
  const amount = inWords(order.totalMinor, order.currency);
  return {
    taskQueue: TASK_QUEUES.orders,
    args: [order],
    staticSummary: `Order of ${amount} by user ${order.userId}`,
    staticDetails: order.comment,
    memo: { userId: order.userId, amount, comment: order.comment, requestHash: order.requestHash },
    typedSearchAttributes: searchAttributes({ ...order, sagaState: "STARTED" }),
  };
}

function sagaRefundStart(payment: SagaPaymentRequest) {
  const { orderId, userId, currency } = payment;
  const amount = `${payment.amount} ${currency}`;
  return {
    workflowId: orderRefundWorkflowId(orderId, SAGA_REFUND),
    taskQueue: TASK_QUEUES.orders,
    args: [payment],
    staticSummary: `REFUND of ${amount} to user ${userId}, saga ${orderId}`,
    memo: { userId, orderId, amount },
    typedSearchAttributes: searchAttributes(payment),
  };
}

function reservationStart(reservation: ReservationInput) {
  const amount = inWords(reservation.amountMinor, reservation.currency);
  return {
    workflowId: reservationWorkflowId(reservation.reservationId),
    taskQueue: TASK_QUEUES.orders,
    args: [reservation],
    staticSummary: `Reservation of ${amount} of user ${reservation.userId}`,
    staticDetails: reservation.comment,
    memo: { userId: reservation.userId, amount, orderId: reservation.orderId },
    typedSearchAttributes: searchAttributes({ ...reservation, reservationState: "held" }),
  };
}

function searchAttributes(values: {
  userId?: string;
  correlationId: string;
  sagaState?: string;
  reservationState?: string;
  reportMonth?: string;
}): TypedSearchAttributes {
  const pair = (name: string, value: string | undefined) =>
    value === undefined ? [] : [{ key: defineSearchAttributeKey(name, "KEYWORD"), value }];
  return new TypedSearchAttributes([
    ...pair(SEARCH_ATTRIBUTES.userId, values.userId),
    ...pair(SEARCH_ATTRIBUTES.correlationId, values.correlationId),
    ...pair(SEARCH_ATTRIBUTES.sagaState, values.sagaState),
    ...pair(SEARCH_ATTRIBUTES.reservationState, values.reservationState),
    ...pair(SEARCH_ATTRIBUTES.reportMonth, values.reportMonth),
  ]);
}

async function outcomeWithin<Outcome>(client: Client, workflowId: string, waitMs: number): Promise<Outcome | undefined> {
  if (waitMs <= 0) return undefined;
  try {
    return await withinOrThrow(
      translated(() => client.withDeadline(Date.now() + waitMs, () => client.workflow.getHandle(workflowId).result() as Promise<Outcome>)),
      waitMs,
      TOO_SLOW,
    );
  } catch (error) {
    // Not there in time is an answer here, not an error.
    if (error instanceof DomainError && error.code === "DEADLINE_EXCEEDED") return undefined;
    // It was ended from outside: the one that is started in its place will have an outcome.
    if (error instanceof WorkflowFailedError && (error.cause instanceof TerminatedFailure || error.cause instanceof TimeoutFailure))
      return undefined;
    throw error;
  }
}

const UNREACHABLE = new Set<number>([grpcStatus.UNAVAILABLE, grpcStatus.RESOURCE_EXHAUSTED, grpcStatus.ABORTED, grpcStatus.INTERNAL]);
const TOO_LATE = new Set<number>([grpcStatus.DEADLINE_EXCEEDED, grpcStatus.CANCELLED]);

// Everything Temporal's client throws becomes a code of the catalogue; what is none of ours to explain passes as it is.
async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asDomainError(error);
  }
}

function asDomainError(error: unknown): unknown {
  if (error instanceof WorkflowNotFoundError) return new NotRunning("the workflow is not running", { cause: error });
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    // With many updates at once a task may be lost with those it carried, and the workflow may end before an update that it took.
    if (error.cause.type === serverFailure.unprocessed) return new DroppedUpdate("the update was not processed", error);
    if (error.cause.type === serverFailure.workflowCompleted) return new NotRunning("the workflow has ended", { cause: error });
  }
  if (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError) return refusalIn(error.cause) ?? error;
  if (error instanceof WorkflowExecutionAlreadyStartedError) return error;
  if (error instanceof QueryNotRegisteredError || error instanceof QueryRejectedError)
    return new NotRunning("the workflow does not answer queries", { cause: error });
  const status = grpcStatusIn(error);
  if (status === undefined) return error;
  if (status === grpcStatus.NOT_FOUND) return new NotRunning("the workflow is not running", { cause: error });
  // A workflow that is just closing takes no update: a moment later it has ended, or is there again.
  if (status === grpcStatus.FAILED_PRECONDITION) return new DroppedUpdate("the workflow was closing", error);
  if (TOO_LATE.has(status)) return new DomainError("DEADLINE_EXCEEDED", TOO_SLOW, {}, error);
  if (UNREACHABLE.has(status)) return new DomainError("UNAVAILABLE", "Temporal is not reachable", {}, error);
  return error;
}

function refusalIn(error: unknown): DomainError | undefined {
  for (const current of causesOf(error))
    if (current instanceof ApplicationFailure && isErrorCode(current.type))
      return new DomainError(current.type, current.message, {}, error);
  return undefined;
}

function grpcStatusIn(error: unknown): number | undefined {
  for (const current of causesOf(error)) if ("code" in current && typeof current.code === "number") return current.code;
  return undefined;
}
