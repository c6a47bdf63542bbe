import { readFile } from "node:fs/promises";
import { DefaultLogger, type NativeConnection, Runtime, Worker, type WorkflowBundleOption } from "@temporalio/worker";
import type { Activities } from "../../activities/index.ts";
import type { Logger } from "../../src/adapters/logger.ts";
import type { PayloadProtection } from "../../src/adapters/payload-codec/payload-protection.ts";
import { converterOf } from "../../src/adapters/temporal/temporal-converter.ts";
import { TASK_QUEUES, type TaskQueue } from "../../src/contract/task-queues.ts";

export interface SaldoWorkersOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** The same as that of the client on this connection. */
  readonly protection?: PayloadProtection | undefined;
  readonly taskQueues: readonly TaskQueue[];
  readonly bundlePath: string;
  readonly activities: Activities;
  /** How many workflows of all the queues together stay in memory between their tasks. With 0 each task replays its workflow, as tests want it. */
  readonly cacheSize: number;
}

export interface SaldoWorkers {
  /** Settles after `stop`; rejects when a worker fails. */
  readonly finished: Promise<void>;
  /** Takes no new tasks, lets the tasks in hand end, and settles when all workers are down. */
  stop(): Promise<void>;
}

/** The SDK's default is 0: a deploy would cut off running activities. A step on Postgres ends within its deadline of 10 s. */
const SHUTDOWN_GRACE = "10s";
const SHUTDOWN_FORCE = "14s";

/**
 * An attempt at a webhook's receiver mostly waits for the receiver's answer. A hundred webhooks, which is the most that there may be, all of
 * them new and silent, have this many attempts under way; the SDK's default is 100.
 */
const WEBHOOK_ATTEMPTS = 500;

/**
 * The part of a process's cache that a queue has beside others, in percent; the rest is for orders, whose workflows are at work while somebody
 * waits. A delivery and a report mostly sleep: one that is not in memory is replayed when it wakes.
 */
const CACHE_PERCENT = { [TASK_QUEUES.webhooks]: 20, [TASK_QUEUES.reports]: 4 } as const;
/** The SDK takes no smaller cache than this, except for none. */
const SMALLEST_CACHE = 2;

/**
 * How many workflows each queue keeps in memory, so that they are `cacheSize` for the whole process (some more where `cacheSize` is tiny).
 * The queue of payments runs no workflows.
 */
export function cacheShares(taskQueues: readonly TaskQueue[], cacheSize: number): Readonly<Partial<Record<TaskQueue, number>>> {
  if (cacheSize === 0) return Object.fromEntries(taskQueues.map((queue) => [queue, 0]));
  const shareOf = (percent: number) => Math.max(SMALLEST_CACHE, Math.floor((cacheSize * percent) / 100));
  const small = taskQueues.flatMap((queue) =>
    queue === TASK_QUEUES.webhooks || queue === TASK_QUEUES.reports ? [[queue, shareOf(CACHE_PERCENT[queue])] as const] : [],
  );
  const left = cacheSize - small.reduce((sum, [, share]) => sum + share, 0);
  return Object.fromEntries([...small, [TASK_QUEUES.orders, Math.max(SMALLEST_CACHE, left)]]);
}

/**
 * How many workflow tasks a worker has in hand at a time; the SDK's default is 40. An order is started eagerly, in the process that took its
 * request, only while there is room for its task. The order is answered before its task has ended, so there are more tasks than orders that
 * somebody waits for: with room for 100, one in seven of 50 orders at a time went to another process, and an order cost a quarter more
 * processor. With much more room than this, tasks of an overloaded process wait longer than the server does (ten seconds), and are done twice.
 */
const WORKFLOW_TASKS = 150;

/** Sends the log lines of the SDK to Saldo's logger. To be called once, before the first worker of a process. */
export function installRuntime(logger: Logger): void {
  Runtime.install({
    shutdownSignals: [],
    // Otherwise the SDK's native part writes lines of its own to the output, in colours and not in JSON.
    telemetryOptions: { logging: { filter: { core: "WARN", other: "ERROR" }, forward: {} } },
    logger: new DefaultLogger("INFO", ({ level, message, meta }) => {
      // A task that cannot be decoded is told of with all that it holds.
      const { error, task: _task, taskEncoded: _taskEncoded, ...fields } = (meta ?? {}) as Record<string, unknown>;
      const write = { TRACE: "trace", DEBUG: "debug", INFO: "debug", WARN: "warn", ERROR: "error" } as const;
      logger[write[level]]({ event: "temporal.sdk", ...fields, ...(error === undefined ? {} : { err: error }) }, message);
    }),
  });
}

/** Starts one worker per task queue on one connection. */
export async function createSaldoWorkers(options: SaldoWorkersOptions): Promise<SaldoWorkers> {
  const workflowBundle = await readBundle(options);
  const shares = cacheShares(options.taskQueues, options.cacheSize);
  const workers = await Promise.all(
    options.taskQueues.map((taskQueue) =>
      Worker.create({
        connection: options.connection,
        namespace: options.namespace,
        taskQueue,
        ...converterOf(options.protection),
        activities: options.activities,
        ...(taskQueue === TASK_QUEUES.payments ? {} : workflowOptions(workflowBundle, shares[taskQueue] ?? 0)),
        ...(taskQueue === TASK_QUEUES.webhooks ? { maxConcurrentActivityTaskExecutions: WEBHOOK_ATTEMPTS } : {}),
        shutdownGraceTime: SHUTDOWN_GRACE,
        shutdownForceTime: SHUTDOWN_FORCE,
      }),
    ),
  );
  const runs = workers.map((worker) => worker.run());
  return {
    finished: Promise.all(runs).then(() => {}),
    async stop() {
      for (const worker of workers) if (worker.getState() === "RUNNING") worker.shutdown();
      await Promise.allSettled(runs);
    },
  };
}

/** One bundle serves with encryption and without: workflows/failure-converter.cjs reads this constant. */
async function readBundle({ bundlePath, protection }: SaldoWorkersOptions): Promise<WorkflowBundleOption> {
  if (protection?.encrypts !== true) return { codePath: bundlePath };
  return { code: `const SALDO_ENCRYPTS_FAILURES = true;${await readFile(bundlePath, "utf8")}` };
}

function workflowOptions(workflowBundle: WorkflowBundleOption, cacheSize: number) {
  return {
    workflowBundle,
    maxCachedWorkflows: cacheSize,
    // Without a cache a second task would wait inside the worker until the server takes it for lost.
    maxConcurrentWorkflowTaskExecutions: cacheSize === 0 ? 1 : Math.min(WORKFLOW_TASKS, cacheSize),
  };
}
