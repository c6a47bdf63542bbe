import { proxyActivities, proxyLocalActivities } from "@temporalio/workflow";
import type { Activities } from "../activities/index.ts";
import { COMPENSATION_FAST_RETRIES } from "../src/contract/order-times.ts";
import { TASK_QUEUES } from "../src/contract/task-queues.ts";

/**
 * The steps of orders and reservations: short statements in Postgres, run inside the workflow task. One attempt may take
 * the ledger's own deadline of 10 s and a little. S1-71: one call and three retries after 100, 200 and 400 ms; the ± 10 %
 * come from activities/failures.ts, because a retry policy has no jitter.
 */
export const steps = proxyLocalActivities<Activities>({
  startToCloseTimeout: "12 seconds",
  scheduleToCloseTimeout: "1 minute",
  retry: { initialInterval: "100 milliseconds", backoffCoefficient: 2, maximumInterval: "400 milliseconds", maximumAttempts: 4 },
});

/**
 * The same steps when they must not be given up (compensations, all steps after the pivot, every step of unknown outcome) and
 * the fast retries are spent. No bound on the whole, on purpose: money would be forgotten. Ordinary activities, because a
 * local activity that waits adds three events to the history every 8 s. Ten seconds at most between two attempts.
 */
export const enduringSteps = proxyActivities<Activities>({
  startToCloseTimeout: "15 seconds",
  retry: { initialInterval: "400 milliseconds", backoffCoefficient: 2, maximumInterval: "10 seconds" },
  summary: "past its fast retries: repeated until it succeeds",
});

/** The activities of either proxy: a step takes this and does not know whether it runs with the fast retries or the endless ones. */
export type OrderSteps = typeof steps | typeof enduringSteps;

/**
 * One attempt at the payment provider may take as long as the adapter's call, its repeated call and its look-up by key together; the
 * adapter bounds each of the three. The death of a worker during the attempt is noticed only when this time is over.
 */
const PROVIDER_ATTEMPT = "45 seconds";

/**
 * Steps at the payment provider, one attempt: the adapter has its own retries, and after them the saga waits visibly with
 * `patientProviderSteps`.
 */
export const providerSteps = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.payments,
  startToCloseTimeout: PROVIDER_ATTEMPT,
  scheduleToCloseTimeout: "2 minutes",
  retry: { maximumAttempts: 1 },
});

/**
 * Steps at the payment provider while it is away. No bound here: the saga's own clock ends the wait at the order's deadline, because
 * `advanceOrderUpdate` can move that clock.
 */
export const patientProviderSteps = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.payments,
  startToCloseTimeout: PROVIDER_ATTEMPT,
  retry: { initialInterval: "400 milliseconds", backoffCoefficient: 2, maximumInterval: "10 seconds" },
  summary: "the payment provider does not answer: asked again until the order's deadline",
});

/**
 * Steps at the payment provider that have no deadline. When an operator decides, the attempt that runs is waited for before the decision
 * takes effect: the attempt may have moved the money.
 */
export const enduringProviderSteps = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.payments,
  startToCloseTimeout: PROVIDER_ATTEMPT,
  cancellationType: "WAIT_CANCELLATION_COMPLETED",
  retry: { initialInterval: "400 milliseconds", backoffCoefficient: 2, maximumInterval: "10 seconds" },
  summary: "the payment provider does not answer: asked again until it does, or an operator decides",
});

/**
 * The steps of a compensation, retried at short intervals: 100 ms, doubled up to 10 s, so that the usual nine retries take some 30 s. A
 * compensation that still fails then is parked. `remote`: at the payment provider; `retries`: COMPENSATION_FAST_RETRIES when undefined.
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

/** Writes to the balance cache: given up after half a second, never retried: a longer wait costs more than the cache saves a reader. */
export const cacheSteps = proxyLocalActivities<Activities>({
  startToCloseTimeout: "300 milliseconds",
  scheduleToCloseTimeout: "500 milliseconds",
  retry: { maximumAttempts: 1 },
});

/**
 * The retries of a report's steps, the short ones and the long writing: repeated until they succeed, so that a report outlasts a full disk
 * or a database that is away. Adding up millions of sales takes minutes; a worker that died meanwhile is noticed by its missing heartbeat.
 */
const REPORT_RETRY = { initialInterval: "500 milliseconds", backoffCoefficient: 2, maximumInterval: "10 seconds" } as const;
export const reportSteps = proxyActivities<Activities>({ startToCloseTimeout: "15 seconds", retry: REPORT_RETRY });
export const reportWriting = proxyActivities<Activities>({
  startToCloseTimeout: "30 minutes",
  heartbeatTimeout: "10 seconds",
  retry: REPORT_RETRY,
});

/**
 * One attempt at the receiver of a webhook, which has ten seconds for its answer. The workflow itself repeats a delivery that the receiver
 * did not take; the retries here are for Saldo's own store being away and for a worker that died during the attempt.
 */
export const webhookSteps = proxyActivities<Activities>({
  startToCloseTimeout: "40 seconds",
  retry: { initialInterval: "1 second", backoffCoefficient: 2, maximumInterval: "1 minute" },
});

/** The self-audit's steps: many short queries; a step that fails is left to the next run. */
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
