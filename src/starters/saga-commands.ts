import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "@temporalio/client";
import { orderRefundWorkflowId, sagaCommandWorkflowId } from "../contract/ids.ts";
import type { SagaCommandInput, SagaCommandResult } from "../contract/saga-commands.ts";
import {
  paymentReplySignal,
  refundAskedSignal,
  SAGA_REFUND,
  type PaymentReply,
  type SagaPaymentRequest,
} from "../contract/saga-commands.ts";
import { TASK_QUEUES } from "../contract/task-queues.ts";
import { isAlreadyStarted, type Calls, type StarterOptions } from "./calls.ts";
import { typedSearchAttributes } from "./typed-search-attributes.ts";
import { sagaCommandWords, sagaRefundWords } from "./words.ts";

/**
 * What is asked of the workflows behind a saga's commands: to execute a command on the payment service's side, to await the answer to a
 * REFUND on the order's side.
 */
export interface SagaCommandStarters {
  /**
   * Executes a saga's command to its end, and again when it is asked again: the ledger knows the command by its identity. `signal`
   * stops the wait, not the workflow.
   */
  runSagaCommand(input: SagaCommandInput, signal: AbortSignal): Promise<SagaCommandResult>;
  /**
   * Makes sure that a workflow waits for the answer to an order's REFUND: starts it, or starts it again when the earlier one has
   * ended. A running workflow counts this answer too.
   */
  followSagaRefund(payment: SagaPaymentRequest): Promise<void>;
  /**
   * Hands the payment service's answer to the workflow that waits for this REFUND, starting that workflow when none waits. False when the
   * REFUND is settled already.
   */
  replyToRefund(payment: SagaPaymentRequest, reply: PaymentReply): Promise<boolean>;
}

/** The starters of saga commands. */
export function createSagaCommandStarters(calls: Calls, { eager }: Pick<StarterOptions, "eager">): SagaCommandStarters {
  return {
    async runSagaCommand(command, signal) {
      const workflowId = sagaCommandWorkflowId(command.sagaId, command.command);
      await calls.call((workflows) =>
        workflows.start("sagaCommand", {
          workflowId,
          taskQueue: TASK_QUEUES.orders,
          args: [command],
          // A command that is asked again is answered again; the money moves once, by its key.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          requestEagerStart: eager,
          ...sagaCommandWords(command),
          typedSearchAttributes: typedSearchAttributes(command),
        }),
      );
      return calls.resultOf<SagaCommandResult>(workflowId, signal);
    },

    async followSagaRefund(payment) {
      await calls.call((workflows) =>
        workflows.signalWithStart("sagaRefund", {
          ...sagaRefundStart(payment),
          // A workflow that runs may be about to end by the answer to an earlier REFUND.
          signal: refundAskedSignal,
          // A CHARGE that succeeds late is answered with another REFUND, whose answer is waited for again.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        }),
      );
    },

    async replyToRefund(payment, reply) {
      try {
        await calls.call((workflows) =>
          workflows.signalWithStart("sagaRefund", {
            ...sagaRefundStart(payment),
            signal: paymentReplySignal,
            signalArgs: [reply],
            // A workflow whose REFUND was answered or settled by hand has completed and is not started again.
            workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
          }),
        );
        return true;
      } catch (error) {
        if (isAlreadyStarted(error)) return false;
        throw error;
      }
    },
  };
}

function sagaRefundStart(payment: SagaPaymentRequest) {
  return {
    workflowId: orderRefundWorkflowId(payment.orderId, SAGA_REFUND),
    taskQueue: TASK_QUEUES.orders,
    args: [payment],
    ...sagaRefundWords(payment),
    typedSearchAttributes: typedSearchAttributes(payment),
  };
}
