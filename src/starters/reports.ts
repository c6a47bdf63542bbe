import { randomUUID } from "node:crypto";
import { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from "@temporalio/client";
import { reportWorkflowId } from "../contract/ids.ts";
import {
  reportProgressQuery,
  type CloseMonthInput,
  type RevenueReportInput,
  type RevenueReportProgress,
  type RevenueReportResult,
} from "../contract/reports.ts";
import { TASK_QUEUES } from "../contract/task-queues.ts";
import type { Calls, Started } from "./calls.ts";
import { typedSearchAttributes } from "./typed-search-attributes.ts";
import { reportWords } from "./words.ts";

/** What is asked of the workflow that makes a report. The month is `yyyy-mm`. */
export interface ReportStarters {
  /** Starts the making of one version of a month's report; a version that is made or being made is not started again. */
  startReport(input: RevenueReportInput): Promise<Started<RevenueReportResult>>;
  /** Closes the month that is over by a test's clock, as its schedule would; a version that is being made is joined. */
  closeMonth(month: string, input: CloseMonthInput): Promise<void>;
  reportProgress(month: string, version: number): Promise<RevenueReportProgress | undefined>;
}

/** The starters of reports. */
export function createReportStarters(calls: Calls): ReportStarters {
  return {
    startReport: (report) =>
      calls.start<RevenueReportResult>("revenueReport", reportWorkflowId(report.month, report.version), {
        taskQueue: TASK_QUEUES.reports,
        args: [report],
        // A version whose workflow was terminated or failed may be made after all; a version that was made stays unchanged.
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
        ...reportWords(report),
        typedSearchAttributes: typedSearchAttributes({ correlationId: report.correlationId, reportMonth: report.month }),
      }),

    async closeMonth(month, input) {
      await calls.call((workflows) =>
        workflows.start("closeMonth", {
          // An id of its own: a close that has made its version and is about to end would be joined, and make no other.
          workflowId: `close-month/test-clock/${month}/${randomUUID()}`,
          taskQueue: TASK_QUEUES.reports,
          args: [input],
          staticSummary: `Close ${month} by the test clock`,
        }),
      );
    },

    reportProgress: (month, version) => calls.query(reportWorkflowId(month, version), reportProgressQuery),
  };
}
