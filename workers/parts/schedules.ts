import { Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy, type ScheduleClient, type ScheduleOptions } from "@temporalio/client";
import { openPayloadProtection } from "../../src/adapters/payload-codec/payload-protection.ts";
import { converterOf } from "../../src/adapters/temporal/temporal-converter.ts";
import { connectDirectly } from "../../src/adapters/temporal/temporal-direct.ts";
import { loadConfig, type Config } from "../../src/config.ts";
import { temporalSecurity } from "../../src/config/server-variables.ts";
import type { CloseMonthInput } from "../../src/contract/reports.ts";
import type { HousekeepingInput } from "../../src/contract/self-audit.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";

export const CLOSE_MONTH_SCHEDULE = "close-month";
export const SELF_AUDIT_SCHEDULE = "self-audit";
export const HOUSEKEEPING_SCHEDULE = "housekeeping";
const CALL_DEADLINE_MS = 10_000;

/** Makes every schedule that Saldo needs, by the configuration. Safe to retry: existing schedules are updated to the present settings. Throws: the client's error when Temporal does not answer. */
export async function ensureSchedules(
  addresses: { temporalAddress: string; namespace: string },
  config: Config = loadConfig(),
): Promise<void> {
  const connection = await connectDirectly({ address: addresses.temporalAddress, ...temporalSecurity(config) });
  try {
    const { schedule } = new Client({ connection, namespace: addresses.namespace, ...converterOf(openPayloadProtection(config)) });
    await connection.withDeadline(Date.now() + CALL_DEADLINE_MS, async () => {
      await ensureCloseMonthSchedule(schedule, { timeZone: config.REPORT_TZ });
      await ensureSelfAuditSchedule(schedule, { everyMs: config.SELF_AUDIT_INTERVAL_MS });
      await ensureHousekeepingSchedule(schedule, { everyMs: config.HOUSEKEEPING_INTERVAL_MS, outboxKeepMs: config.OUTBOX_KEEP_MS });
    });
  } finally {
    await connection.close();
  }
}

/**
 * Makes the schedule that closes each month ten minutes after its end in `timeZone`, or updates the existing one to these settings.
 * A schedule that an operator paused stays paused. Safe to retry.
 */
export function ensureCloseMonthSchedule(schedules: ScheduleClient, { timeZone }: { timeZone: string }): Promise<void> {
  return ensureSchedule(schedules, closeMonthSchedule(timeZone));
}

/** Makes the schedule of the self-audit, or updates the existing one; a paused schedule stays paused. Safe to retry. */
export function ensureSelfAuditSchedule(schedules: ScheduleClient, { everyMs }: { everyMs: number }): Promise<void> {
  return ensureSchedule(
    schedules,
    repeated({ scheduleId: SELF_AUDIT_SCHEDULE, type: "selfAudit", everyMs, args: [], summary: "Prove the books" }),
  );
}

/** Makes the schedule of the housekeeping, or updates the existing one; a paused schedule stays paused. Safe to retry. */
export function ensureHousekeepingSchedule(
  schedules: ScheduleClient,
  { everyMs, outboxKeepMs }: { everyMs: number; outboxKeepMs: number },
): Promise<void> {
  const input: HousekeepingInput = { outboxKeepMs };
  const summary = "Remove published messages and expired rows";
  return ensureSchedule(schedules, repeated({ scheduleId: HOUSEKEEPING_SCHEDULE, type: "housekeeping", everyMs, args: [input], summary }));
}

async function ensureSchedule(schedules: ScheduleClient, options: ScheduleOptions): Promise<void> {
  try {
    await schedules.create(options);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await schedules.getHandle(options.scheduleId).update((previous) => ({
      ...options,
      spec: options.spec,
      action: options.action,
      policies: options.policies ?? {},
      state: { paused: previous.state.paused, ...(previous.state.note === undefined ? {} : { note: previous.state.note }) },
    }));
  }
}

function repeated(input: { scheduleId: string; type: string; everyMs: number; args: unknown[]; summary: string }): ScheduleOptions {
  return {
    scheduleId: input.scheduleId,
    spec: { intervals: [{ every: input.everyMs }] },
    action: {
      type: "startWorkflow",
      workflowId: input.scheduleId,
      workflowType: input.type,
      // Only the worker role takes this queue: an audit never runs beside the requests of an api.
      taskQueue: TASK_QUEUES.reports,
      args: input.args,
      staticSummary: input.summary,
    },
    policies: {
      // A missed run is not made up for: the next run does what it would have done.
      overlap: ScheduleOverlapPolicy.SKIP,
      catchupWindow: "1 minute",
      pauseOnFailure: false,
    },
  };
}

function closeMonthSchedule(timeZone: string): ScheduleOptions {
  const input: CloseMonthInput = { timeZone };
  return {
    scheduleId: CLOSE_MONTH_SCHEDULE,
    // A calendar in the zone: an interval drifts against months and clock changes.
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
      // Each run closes a month of its own, so no run may be skipped, whether an earlier run is still under way or the server was away.
      overlap: ScheduleOverlapPolicy.BUFFER_ALL,
      catchupWindow: "365 days",
      pauseOnFailure: false,
    },
  };
}
