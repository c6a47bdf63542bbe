import { WorkflowExecutionAlreadyStartedError } from "@temporalio/common";
import { executeChild, ParentClosePolicy, setCurrentDetails, workflowInfo } from "@temporalio/workflow";
import { reportWorkflowId } from "../../src/contract/ids.ts";
import type { CloseMonthInput } from "../../src/contract/reports.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { reportSteps } from "../activity-proxies.ts";
import { showReportMonth } from "../search-attributes.ts";
import { revenueReport } from "./revenue-report.ts";

/** Which version of which month was made, or is being made by somebody else. */
export interface CloseMonthResult {
  readonly month: string;
  readonly version: number;
  readonly joined: boolean;
}

/**
 * Closes a month: makes the next version of its revenue report. Without a month by name it is the one before the moment this run was
 * scheduled for, however late it runs.
 */
export async function closeMonth(input: CloseMonthInput): Promise<CloseMonthResult> {
  const { timeZone } = input;
  const { workflowId } = workflowInfo();
  const { month, version } = await reportSteps.openMonthReport.executeWithOptions({ summary: "open a version of the month's report" }, [
    {
      timeZone,
      closedAt: scheduledTime().toISOString(),
      correlationId: workflowId,
      ...(input.month === undefined ? {} : { month: input.month }),
    },
  ]);
  showReportMonth(month);
  setCurrentDetails(`Closing **${month}** (${timeZone}) with version ${version} of its revenue report`);
  try {
    await executeChild(revenueReport, {
      workflowId: reportWorkflowId(month, version),
      taskQueue: TASK_QUEUES.reports,
      args: [{ month, version, timeZone, correlationId: workflowId }],
      // The report is as good without whoever asked for it.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `Revenue of ${month}, version ${version}`,
    });
    return { month, version, joined: false };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { month, version, joined: true };
    throw error;
  }
}

// A run that was caught up or backfilled belongs to the moment it was planned for, not to the one it runs at.
function scheduledTime(): Date {
  const [scheduled] = (workflowInfo().searchAttributes["TemporalScheduledStartTime"] ?? []) as unknown[];
  return scheduled instanceof Date ? scheduled : workflowInfo().startTime;
}
