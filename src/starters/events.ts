import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "@temporalio/client";
import type { EventBatchResult, EventBatchStart } from "../contract/events.ts";
import { eventBatchWorkflowId } from "../contract/ids.ts";
import { TASK_QUEUES } from "../contract/task-queues.ts";
import type { Calls, StarterOptions } from "./calls.ts";
import { eventBatchWords } from "./words.ts";

/** What is asked of the workflow that applies events. */
export interface EventStarters {
  /** Runs a batch of events to its end, however long it takes; `signal` stops the wait, not the workflow. */
  runEventBatch(input: EventBatchStart, signal: AbortSignal): Promise<EventBatchResult>;
}

/** The starters of events. */
export function createEventStarters(calls: Calls, { eager }: Pick<StarterOptions, "eager">): EventStarters {
  return {
    async runEventBatch(batch, signal) {
      const workflowId = eventBatchWorkflowId(batch);
      await calls.call((workflows) =>
        workflows.start("eventBatch", {
          workflowId,
          taskQueue: TASK_QUEUES.orders,
          args: [batch],
          // Running the same events again is harmless: each has its permanent key. A batch under way is joined.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
          workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
          requestEagerStart: eager,
          ...eventBatchWords(batch),
        }),
      );
      return calls.resultOf<EventBatchResult>(workflowId, signal);
    },
  };
}
