import { CancellationScope, setCurrentDetails, setHandler } from "@temporalio/workflow";
import {
  reportProgressQuery,
  type RevenueReportInput,
  type RevenueReportProgress,
  type RevenueReportResult,
} from "../../src/contract/reports.ts";
import { reportSteps, reportWriting } from "../activity-proxies.ts";
import { showReportMonth } from "../search-attributes.ts";
import { failureOf } from "../steps/failures.ts";

/**
 * Makes one version of a month's revenue report: fixes which postings are in it, adds them up into a CSV, and publishes it. An unfinished
 * report is never visible, and a finished report never changes.
 */
export async function revenueReport(input: RevenueReportInput): Promise<RevenueReportResult> {
  const { month, version, timeZone } = input;
  let stage: RevenueReportProgress["stage"] = "starting";
  const enter = (next: typeof stage) => {
    stage = next;
    setCurrentDetails(`Revenue of **${month}** (${timeZone}), version ${version}: ${next}`);
  };
  setHandler(reportProgressQuery, () => ({ month, version, stage }));
  showReportMonth(month);
  try {
    enter("starting");
    const watermark = await reportSteps.fixWatermark.executeWithOptions({ summary: "fix which sales are in the report" }, [
      { month, version },
    ]);
    enter("writing");
    const written = await reportWriting.writeReport.executeWithOptions({ summary: `add up ${month} and write its CSV` }, [
      { month, version, timeZone, watermark },
    ]);
    enter("publishing");
    await reportSteps.publishReport.executeWithOptions({ summary: "make the report final and seen" }, [{ month, version, ...written }]);
    enter("completed");
    return { month, version, watermark, lineCount: written.lineCount, sha256: written.sha256 };
  } catch (error) {
    // Every later request for the month would join a report that stayed "running".
    await CancellationScope.nonCancellable(() =>
      reportSteps.abandonReport.executeWithOptions({ summary: "give the report up" }, [{ month, version, code: failureOf(error).code }]),
    );
    throw error;
  }
}
