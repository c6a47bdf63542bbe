import { proxyActivities, proxyLocalActivities } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { COMPENSATION_FAST_RETRIES } from "../src/contract/order-times.ts";
import { TASK_QUEUES } from "../src/contract/task-queues.ts";

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

/** Steps by whichever proxy runs them. */
export type OrderSteps = typeof steps | typeof enduringSteps;

/**
 * One attempt at the payment provider may take as long as its adapter takes to ask, ask again and look the key up; the adapter bounds
 * each of those itself. A worker that died with the call is noticed only by this time.
 */
const PROVIDER_ATTEMPT = "45 seconds";

/** Steps at the payment provider, asked once: the adapter has its own retries, and what it could not learn is waited for visibly. */
export const providerSteps = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.payments,
  startToCloseTimeout: PROVIDER_ATTEMPT,
  scheduleToCloseTimeout: "2 minutes",
  retry: { maximumAttempts: 1 },
});

/** The same while the provider is away. The saga's own clock ends the wait at the order's deadline, so that it can be moved by hand. */
export const patientProviderSteps = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.payments,
  startToCloseTimeout: PROVIDER_ATTEMPT,
  retry: { initialInterval: "400 milliseconds", backoffCoefficient: 2, maximumInterval: "10 seconds" },
  summary: "the payment provider does not answer: asked again until the order's deadline",
});

/**
 * The same for what has no deadline. A try that is under way is waited for before somebody's decision takes its place: it may have
 * moved the money.
 */
export const enduringProviderSteps = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.payments,
  startToCloseTimeout: PROVIDER_ATTEMPT,
  cancellationType: "WAIT_CANCELLATION_COMPLETED",
  retry: { initialInterval: "400 milliseconds", backoffCoefficient: 2, maximumInterval: "10 seconds" },
  summary: "the payment provider does not answer: asked again until it does, or an operator decides",
});

/**
 * A compensation at short intervals: 100 ms, doubled up to 10 s, so that the usual nine retries take some 30 s. What is not undone by
 * then is parked.
 */
export function compensationSteps(input: { readonly remote: boolean; readonly retries: number | undefined }) {
  return proxyActivities<Activities>({
    ...(input.remote ? { taskQueue: TASK_QUEUES.payments } : {}),
    startToCloseTimeout: input.remote ? PROVIDER_ATTEMPT : "15 seconds",
    retry: {
      initialInterval: "100 milliseconds",
      backoffCoefficient: 2,
      maximumInterval: "10 seconds",
      maximumAttempts: 1 + (input.retries ?? COMPENSATION_FAST_RETRIES),
    },
  });
}

/** Notes about an order that nothing depends on: given up soon. */
export const noteSteps = proxyActivities<Activities>({
  startToCloseTimeout: "12 seconds",
  scheduleToCloseTimeout: "30 seconds",
  retry: { maximumAttempts: 4 },
});

/** Lasts as long as a pause does: the activity fails until the pause is over, so that waiting adds nothing to the history. */
export const pauseSteps = proxyActivities<Activities>({
  startToCloseTimeout: "12 seconds",
  retry: { initialInterval: "1 second", backoffCoefficient: 1 },
  summary: "captures and charges are paused: asked every second",
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

/**
 * One attempt at a receiver of webhooks, which has ten seconds for its answer. How often it is tried is the workflow's own; what is
 * repeated here is our own store that is away, and an attempt whose worker died.
 */
export const webhookSteps = proxyActivities<Activities>({
  startToCloseTimeout: "40 seconds",
  retry: { initialInterval: "1 second", backoffCoefficient: 2, maximumInterval: "1 minute" },
});

/** The self-audit's steps: many short questions, the next run asks them again. */
export const auditSteps = proxyActivities<Activities>({
  startToCloseTimeout: "1 minute",
  scheduleToCloseTimeout: "3 minutes",
  retry: { maximumAttempts: 3 },
});

/** The proof of the books reads every posting and bounds itself to five minutes a statement; the next run tries again. */
export const proofSteps = proxyActivities<Activities>({
  startToCloseTimeout: "30 minutes",
  retry: { maximumAttempts: 1 },
});
