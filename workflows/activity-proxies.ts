import { proxyActivities, proxyLocalActivities } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";

/**
 * The steps of orders and reservations: short statements in Postgres, run inside the workflow task. One attempt may take
 * the ledger's own deadline of 10 s and a little. S1-71: one call and three retries after 100, 200 and 400 ms; the ± 10 %
 * come from activities/failures.ts, as a retry policy knows no jitter.
 */
export const steps = proxyLocalActivities<Activities>({
  startToCloseTimeout: "12 seconds",
  scheduleToCloseTimeout: "1 minute",
  retry: { initialInterval: "100 milliseconds", backoffCoefficient: 2, maximumInterval: "400 milliseconds", maximumAttempts: 4 },
});

/**
 * The same steps when they must not be given up (compensations, all after the pivot, everything of unknown outcome) and
 * the fast retries are spent. No bound on the whole, on purpose: money would be forgotten. Ordinary activities, because a
 * local one that waits adds three events to the history every 8 s. Ten seconds at most between two attempts.
 */
export const enduringSteps = proxyActivities<Activities>({
  startToCloseTimeout: "15 seconds",
  retry: { initialInterval: "400 milliseconds", backoffCoefficient: 2, maximumInterval: "10 seconds" },
  summary: "past its fast retries: repeated until it succeeds",
});

/** The cache is never waited for longer than a reader would gain by it, and never asked twice. */
export const cacheSteps = proxyLocalActivities<Activities>({
  startToCloseTimeout: "300 milliseconds",
  scheduleToCloseTimeout: "500 milliseconds",
  retry: { maximumAttempts: 1 },
});

/**
 * The short steps of a report, and the long one: a month of millions of sales takes minutes to add up, a worker that died is
 * noticed by its silence. Both are repeated until they succeed: a full disk or a database that is away is waited for.
 */
const REPORT_RETRY = { initialInterval: "500 milliseconds", backoffCoefficient: 2, maximumInterval: "10 seconds" } as const;
export const reportSteps = proxyActivities<Activities>({ startToCloseTimeout: "15 seconds", retry: REPORT_RETRY });
export const reportWriting = proxyActivities<Activities>({
  startToCloseTimeout: "30 minutes",
  heartbeatTimeout: "10 seconds",
  retry: REPORT_RETRY,
});
