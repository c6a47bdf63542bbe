import { readFile } from "node:fs/promises";
import { DefaultLogger, type NativeConnection, Runtime, Worker } from "@temporalio/worker";
import type { Activities } from "../../activities/index.ts";
import type { Logger } from "../../src/adapters/logger.ts";
import type { PayloadProtection } from "../../src/adapters/payload-codec/payload-protection.ts";
import { converterOf } from "../../src/adapters/temporal.ts";
import { TASK_QUEUES, type TaskQueue } from "../../src/contract/task-queues.ts";

export interface SaldoWorkersOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  /** The same as that of the client on this connection. */
  readonly protection?: PayloadProtection | undefined;
  readonly taskQueues: readonly TaskQueue[];
  readonly bundlePath: string;
  readonly activities: Activities;
  /** How many workflows stay in memory between their tasks. With 0 each task replays its workflow, as tests want it. */
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
  const workers = await Promise.all(
    options.taskQueues.map((taskQueue) =>
      Worker.create({
        connection: options.connection,
        namespace: options.namespace,
        taskQueue,
        workflowBundle,
        ...converterOf(options.protection),
        activities: options.activities,
        maxCachedWorkflows: options.cacheSize,
        // Without a cache a second task would wait inside the worker until the server takes it for lost.
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

/** One bundle serves with encryption and without: workflows/failure-converter.cjs reads this constant. */
async function readBundle({ bundlePath, protection }: SaldoWorkersOptions): Promise<{ codePath: string } | { code: string }> {
  if (protection?.encrypts !== true) return { codePath: bundlePath };
  return { code: `const SALDO_ENCRYPTS_FAILURES = true;${await readFile(bundlePath, "utf8")}` };
}
