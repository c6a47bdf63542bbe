import { defineQuery } from "@temporalio/workflow";

/** What starts one version of a month's report. The month is `yyyy-mm` in `timeZone`. */
export interface RevenueReportInput {
  readonly month: string;
  readonly version: number;
  readonly timeZone: string;
  readonly correlationId: string;
}

/** What starts the close of a month: the month before the moment of the run, or a month by name. */
export interface CloseMonthInput {
  readonly month?: string;
  readonly timeZone: string;
  /** The moment that a test's clock shows, ISO 8601: the month before it is closed as if it were over. */
  readonly at?: string;
}

export interface RevenueReportResult {
  readonly month: string;
  readonly version: number;
  readonly lineCount: number;
  readonly sha256: string;
  /** A postgres snapshot (pg_snapshot text): exactly the postings it shows are in the report. */
  readonly watermark: string;
}

export interface RevenueReportProgress {
  readonly month: string;
  readonly version: number;
  readonly stage: "starting" | "writing" | "publishing" | "completed";
}

export const reportProgressQuery = defineQuery<RevenueReportProgress>("progress");
