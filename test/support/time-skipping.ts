import { setTimeout as sleep } from "node:timers/promises";
import type { WorkflowHandle } from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import type { TestWorkflowEnvironment } from "@temporalio/testing";
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import { inject } from "vitest";
import { SEARCH_ATTRIBUTES } from "../../src/contract/search-attributes.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";
import type { FakeBook } from "./fake-book.ts";
import { startTimeSkippingServer } from "./time-skipping-server.ts";

export interface TimeSkipping {
  readonly env: TestWorkflowEnvironment;
  /** Runs workflows over the book's activities until the returned function is called. With `cacheSize` 0 each task replays its workflow. */
  startWorker(options: { readonly taskQueue: string; readonly cacheSize: number; readonly book: FakeBook }): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** A Temporal of its own whose clock jumps while `env.client` waits for a result. */
export async function startTimeSkipping(): Promise<TimeSkipping> {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger("ERROR") });
  const [env, bundlePath] = await Promise.all([startTimeSkippingServer(), buildWorkflowBundle(inject("cacheDir"))]);
  const { INDEXED_VALUE_TYPE_KEYWORD: KEYWORD, INDEXED_VALUE_TYPE_BOOL: BOOL } = temporal.api.enums.v1.IndexedValueType;
  const searchAttributes = Object.fromEntries(
    Object.values(SEARCH_ATTRIBUTES).map((name) => [name, name === SEARCH_ATTRIBUTES.stuck ? BOOL : KEYWORD]),
  );
  await env.connection.operatorService.addSearchAttributes({ namespace: env.namespace ?? "default", searchAttributes });
  return {
    env,
    async startWorker({ taskQueue, cacheSize, book }) {
      const worker = await Worker.create({
        connection: env.nativeConnection,
        namespace: env.namespace ?? "default",
        taskQueue,
        workflowBundle: { codePath: bundlePath },
        activities: book.activities,
        maxCachedWorkflows: cacheSize,
        // Without a cache a second task would wait inside the worker until the server takes it for lost.
        ...(cacheSize === 0 ? { maxConcurrentWorkflowTaskExecutions: 1 } : {}),
      });
      const running = worker.run();
      return async () => {
        worker.shutdown();
        await running;
      };
    },
    close: () => env.teardown(),
  };
}

/**
 * Waits until a workflow has seen its native cancellation in the middle of a step. A worker completes a task unfinished after four fifths of
 * the task's time (8 s of 10), and the next task brings the cancellation.
 */
export async function untilCancellationIsSeen(handle: WorkflowHandle): Promise<void> {
  for (;;) {
    const { events } = await handle.fetchHistory();
    const requested = events?.findIndex((event) => event.workflowExecutionCancelRequestedEventAttributes) ?? -1;
    if (requested >= 0 && events?.slice(requested).some((event) => event.workflowTaskStartedEventAttributes)) return sleep(200);
    await sleep(100);
  }
}
