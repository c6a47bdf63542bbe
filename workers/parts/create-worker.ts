import { DefaultLogger, type NativeConnection, Runtime, Worker } from "@temporalio/worker";
import type { Activities } from "../../activities/index.ts";
import type { Logger } from "../../src/adapters/logger.ts";
import { TASK_QUEUES, type TaskQueue } from "../../src/contract/task-queues.ts";

export interface SaldoWorkersOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueues: readonly TaskQueue[];
  readonly bundlePath: string;
  readonly activities: Activities;
  /** How many workflows stay in memory between their tasks; 0 replays each one every time, as a test does. */
  readonly cacheSize: number;
}

export interface SaldoWorkers {
  /** Runs until `stop`; rejects when a worker broke. */
  readonly finished: Promise<void>;
  /** Takes no new tasks, lets those in hand end, and answers when all workers are down. */
  stop(): Promise<void>;
}

/** The SDK's default is 0: a deploy would cut off running activities. A step on Postgres ends within its 10 s or not at all. */
const SHUTDOWN_GRACE = "10s";
const SHUTDOWN_FORCE = "14s";

/**
 * Attempts at receivers of webhooks wait for others and do nothing meanwhile. The hundred webhooks that there may be, all of them new and
 * silent, hold so many; the SDK's default is 100.
 */
const WEBHOOK_ATTEMPTS = 500;

/** Sends the SDK's own log lines to ours. Call it once, before the first worker of a process. */
export function installRuntime(logger: Logger): void {
  Runtime.install({
    shutdownSignals: [],
    // Without it the native part writes lines of its own to the output, in colours and not in JSON.
    telemetryOptions: { logging: { filter: { core: "WARN", other: "ERROR" }, forward: {} } },
    logger: new DefaultLogger("INFO", ({ level, message, meta }) => {
      const { error, ...fields } = (meta ?? {}) as Record<string, unknown>;
      const write = { TRACE: "trace", DEBUG: "debug", INFO: "debug", WARN: "warn", ERROR: "error" } as const;
      logger[write[level]]({ event: "temporal.sdk", ...fields, ...(error === undefined ? {} : { err: error }) }, message);
    }),
  });
}

/** Starts one worker per task queue on one connection. */
export async function createSaldoWorkers(options: SaldoWorkersOptions): Promise<SaldoWorkers> {
  const workers = await Promise.all(
    options.taskQueues.map((taskQueue) =>
      Worker.create({
        connection: options.connection,
        namespace: options.namespace,
        taskQueue,
        workflowBundle: { codePath: options.bundlePath },
        activities: options.activities,
        maxCachedWorkflows: options.cacheSize,
        // Without a cache a second task taken meanwhile would lie in the worker until the server thinks it lost.
        ...(options.cacheSize === 0 ? { maxConcurrentWorkflowTaskExecutions: 1 } : {}),
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
