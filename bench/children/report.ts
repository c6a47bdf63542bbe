import { mkdirSync, readFileSync } from "node:fs";
import { MockActivityEnvironment } from "@temporalio/testing";
import { createReportActivities, type WrittenReport } from "../../activities/reports.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { peakMemoryOf } from "../measure/cpu-meter.ts";
import { serveParent } from "./serve.ts";

/** What a report gave: the sum of its lines in minor units, and the peak of this process's memory until now; the peak is undefined without /proc. */
export interface MadeReport {
  readonly seconds: number;
  readonly lines: number;
  readonly revenueMinor: number;
  readonly peakBytes?: number;
}

export interface ReportCommands extends Record<string, (input: never) => Promise<unknown>> {
  /** Makes the next version of a month's report by the steps that its workflow has, without Temporal between them. */
  make(input: { month: string }): Promise<MadeReport>;
}

const TIME_ZONE = "UTC";

serveParent(async ({ appUrl, folder }: { appUrl: string; folder: string }) => {
  mkdirSync(folder, { recursive: true });
  const database = createDatabase({ url: appUrl, name: "bench-report", laneCount: 2, deadlineMs: 60_000 });
  const steps = createReportActivities({ db: database.db, openLane: database.openLane, reportsDir: folder });
  const commands: ReportCommands = {
    async make({ month }) {
      const startedAtMs = performance.now();
      const report = await steps.openMonthReport({
        month,
        timeZone: TIME_ZONE,
        closedAt: new Date().toISOString(),
        correlationId: "bench",
      });
      const watermark = await steps.fixWatermark(report);
      // The step tells Temporal that it lives, so it needs an activity's surroundings.
      const activity = new MockActivityEnvironment();
      const written: WrittenReport = await activity.run(steps.writeReport, { ...report, timeZone: TIME_ZONE, watermark });
      await steps.publishReport({ ...report, ...written });
      const seconds = (performance.now() - startedAtMs) / 1_000;
      const lines = readFileSync(`${folder}/${written.fileName}`, "utf8").trim().split("\n");
      const revenueMinor = lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(";") + 1).replace(".", "")), 0);
      const peakBytes = peakMemoryOf(process.pid);
      return { seconds, lines: lines.length, revenueMinor, ...(peakBytes === undefined ? {} : { peakBytes }) };
    },
  };
  return { commands, close: () => database.close() };
});
