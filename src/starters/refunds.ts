import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "@temporalio/client";
import { orderRefundWorkflowId } from "../contract/ids.ts";
import { operatorActSignal, type OperatorAct } from "../contract/operator-acts.ts";
import { refundStatusQuery, type OrderRefundInput, type OrderRefundOutcome, type OrderRefundStatus } from "../contract/refunds.ts";
import { TASK_QUEUES } from "../contract/task-queues.ts";
import type { Calls, Started } from "./calls.ts";
import { typedSearchAttributes } from "./typed-search-attributes.ts";
import { refundWords } from "./words.ts";

/** What is asked of the workflow that refunds a part of an order. */
export interface RefundStarters {
  /** Starts the refund or finds the refund that runs; its amount must be set aside before. */
  startRefund(input: OrderRefundInput): Promise<Started<OrderRefundOutcome>>;
  refundStatus(orderId: string, refundId: string): Promise<OrderRefundStatus | undefined>;
  /** Tells the refund's workflow what a person decided; false when it does not run. */
  actOnRefund(orderId: string, refundId: string, act: OperatorAct): Promise<boolean>;
}

/** The starters of refunds. */
export function createRefundStarters(calls: Calls): RefundStarters {
  return {
    startRefund: (refund) =>
      calls.start<OrderRefundOutcome>("orderRefund", orderRefundWorkflowId(refund.orderId, refund.refundId), {
        taskQueue: TASK_QUEUES.orders,
        args: [refund],
        // The refund's id is made of the client's key; a refund that was terminated may be run to its end after all.
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        ...refundWords(refund),
        typedSearchAttributes: typedSearchAttributes(refund),
      }),

    refundStatus: (orderId, refundId) => calls.query(orderRefundWorkflowId(orderId, refundId), refundStatusQuery),

    actOnRefund: (orderId, refundId, act) => calls.tell(orderRefundWorkflowId(orderId, refundId), operatorActSignal, act),
  };
}
