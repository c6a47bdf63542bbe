import { WorkflowIdReusePolicy } from "@temporalio/client";
import { webhookDeliveryWorkflowId } from "../contract/ids.ts";
import { TASK_QUEUES } from "../contract/task-queues.ts";
import { deliverNowSignal, type WebhookDeliveryInput } from "../contract/webhooks.ts";
import { createCalls, type StarterOptions } from "./calls.ts";
import { deliveryWords } from "./words.ts";

/**
 * Starts the deliveries of webhooks; a delivery that runs is told to try now. A delivery of its own for each webhook and event.
 * Safe to retry: the delivery's workflow is found by webhook and event. Throws: UNAVAILABLE or DEADLINE_EXCEEDED.
 */
export function createWebhookStarter(options: Pick<StarterOptions, "client" | "deadlineMs">) {
  const calls = createCalls(options);
  return async (delivery: WebhookDeliveryInput): Promise<void> => {
    await calls.call((workflows) =>
      workflows.signalWithStart("webhookDelivery", {
        workflowId: webhookDeliveryWorkflowId(delivery),
        taskQueue: TASK_QUEUES.webhooks,
        args: [delivery],
        signal: deliverNowSignal,
        // A delivery that has ended may be asked for again.
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
        ...deliveryWords(delivery),
      }),
    );
  };
}
