import { activityInfo } from "@temporalio/activity";
import type { Origin } from "../src/domain/ledger/operations.ts";

/** The workflow that runs the current activity. The workflow id is part of the ledger's keys. */
export function currentWorkflow(): { readonly workflowId: string; readonly runId: string } {
  const execution = activityInfo().workflowExecution;
  return { workflowId: execution?.workflowId ?? "", runId: execution?.runId ?? "" };
}

/** The origin of the current activity's operation: the caller who asked for it, and the run that posts it. */
export function currentOrigin(request: { readonly caller: string; readonly correlationId: string }): Origin {
  return { caller: request.caller, correlationId: request.correlationId, ...currentWorkflow() };
}
