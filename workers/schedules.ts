import {
  Client,
  Connection,
  ScheduleAlreadyRunning,
  ScheduleOverlapPolicy,
  type ScheduleClient,
  type ScheduleOptions,
} from "@temporalio/client";
import { loadConfig } from "../src/config.ts";
import type { CloseMonthInput } from "../src/contract/reports.ts";
import { TASK_QUEUES } from "../src/contract/task-queues.ts";

export const CLOSE_MONTH_SCHEDULE = "close-month";
const CONNECT_TIMEOUT_MS = 10_000;
const CALL_DEADLINE_MS = 10_000;

/** Makes every schedule that Saldo needs, with the configured time zone. Safe to retry: schedules that are there are brought to the present settings. */
export async function ensureSchedules(addresses: { temporalAddress: string; namespace: string }): Promise<void> {
  const connection = await Connection.connect({ address: addresses.temporalAddress, connectTimeout: CONNECT_TIMEOUT_MS });
  try {
    const client = new Client({ connection, namespace: addresses.namespace });
    await connection.withDeadline(Date.now() + CALL_DEADLINE_MS, () =>
      ensureCloseMonthSchedule(client.schedule, { timeZone: loadConfig().REPORT_TZ }),
    );
  } finally {
    await connection.close();
  }
}

/**
 * Makes the schedule that closes each month ten minutes after its end in `timeZone`, or brings the one that is there to these
 * settings; one that an operator paused stays paused. Safe to retry.
 */
export async function ensureCloseMonthSchedule(schedules: ScheduleClient, { timeZone }: { timeZone: string }): Promise<void> {
  const options = closeMonthSchedule(timeZone);
  try {
    await schedules.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await schedules.getHandle(CLOSE_MONTH_SCHEDULE).update((previous) => ({
      ...options,
      spec: options.spec,
      action: options.action,
      policies: options.policies ?? {},
      state: { paused: previous.state.paused, ...(previous.state.note === undefined ? {} : { note: previous.state.note }) },
    }));
  }
}

function closeMonthSchedule(timeZone: string): ScheduleOptions {
  const input: CloseMonthInput = { timeZone };
  return {
    scheduleId: CLOSE_MONTH_SCHEDULE,
    // A calendar in the zone and not an interval: an interval drifts against months and clock changes.
    spec: { timezone: timeZone, calendars: [{ comment: "ten minutes past the end of each month", dayOfMonth: 1, hour: 0, minute: 10 }] },
    action: {
      type: "startWorkflow",
      workflowId: CLOSE_MONTH_SCHEDULE,
      workflowType: "closeMonth",
      taskQueue: TASK_QUEUES.reports,
      args: [input],
      staticSummary: "Close the month that ended",
    },
    policies: {
      // Each run closes a month of its own: none may be skipped because another one still runs, or because the server was away.
      overlap: ScheduleOverlapPolicy.BUFFER_ALL,
      catchupWindow: "365 days",
      pauseOnFailure: false,
    },
  };
}
