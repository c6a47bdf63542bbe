import type { Client } from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import { until } from "./until.ts";

const NOT_FOUND = 5;
const { UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED: ADMITTED } = temporal.api.enums.v1.UpdateWorkflowExecutionLifecycleStage;

/** Waits until an update lies at the server, where the workflow's next task takes it from. */
export function untilAdmitted(client: Client, update: { readonly workflowId: string; readonly updateId: string }): Promise<void> {
  const { workflowId, updateId } = update;
  return until(`the update ${updateId} of ${workflowId} lies at the server`, async () => {
    try {
      await client.workflowService.pollWorkflowExecutionUpdate({
        namespace: client.options.namespace,
        updateRef: { workflowExecution: { workflowId }, updateId },
        waitPolicy: { lifecycleStage: ADMITTED },
      });
      return true;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === NOT_FOUND) return false;
      throw error;
    }
  });
}
