import { WorkflowExecutionAlreadyStartedError } from "@temporalio/common";
import { executeChild, ParentClosePolicy, setCurrentDetails, workflowInfo } from "@temporalio/workflow";
import { reportWorkflowId } from "../../src/contract/ids.ts";
import type { CloseMonthInput } from "../../src/contract/reports.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { reportSteps } from "../activity-proxies.ts";
import { showReportMonth } from "../search-attributes.ts";
import { revenueReport } from "./revenue-report.ts";

/** The month (YYYY-MM) and version of the report; `joined` when another workflow makes, or has made, this version. */
export interface CloseMonthResult {
  readonly month: string;
  readonly version: number;
  readonly joined: boolean;
}

/**
 * Closes a month: makes the next version of its revenue report. Without `month` in the input it closes the month before the moment for
 * which this run was scheduled, however late it runs, or before the moment that a test's clock shows.
 */
export async function closeMonth(input: CloseMonthInput): Promise<CloseMonthResult> {
  const { timeZone } = input;
  const { workflowId } = workflowInfo();
  const { month, version } = await reportSteps.openMonthReport.executeWithOptions({ summary: "open a version of the month's report" }, [
    {
      timeZone,
      closedAt: input.at ?? scheduledTime().toISOString(),
      correlationId: workflowId,
      ...(input.month === undefined ? {} : { month: input.month }),
      ...(input.at === undefined ? {} : { isTestClock: true }),
    },
  ]);
  showReportMonth(month);
  setCurrentDetails(`Closing **${month}** (${timeZone}) with version ${version} of its revenue report`);
  try {
    await executeChild(revenueReport, {
      workflowId: reportWorkflowId(month, version),
      taskQueue: TASK_QUEUES.reports,
      args: [{ month, version, timeZone, correlationId: workflowId }],
      // The report is worth finishing even when this workflow is terminated.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `Revenue of ${month}, version ${version}`,
    });
    return { month, version, joined: false };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return { month, version, joined: true };
    throw error;
  }
}

// A run that is caught up or backfilled belongs to the moment for which it was scheduled, not to the moment of its start.
function scheduledTime(): Date {
  const [scheduled] = (workflowInfo().searchAttributes["TemporalScheduledStartTime"] ?? []) as unknown[];
  return scheduled instanceof Date ? scheduled : workflowInfo().startTime;
}
